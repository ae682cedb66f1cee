/** Publications with a key of the publisher's: a second one is answered like the first, and published once. */

import { createHash } from "node:crypto";
import { CommandError } from "../domain/error.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Clock, IdempotencyKey } from "../domain/ports.ts";

/** How long a key is remembered. */
const REMEMBERED_MS = 300_000;
/** How long a node remembers what it received: for less, because it may receive late, and must not take the next one for the first. */
const RECEIVED_MS = 240_000;
/** Of those that one node published, and of those that it received. The engine remembers all. */
const MOST = 10_000;
const KEY_LENGTH = 128;

interface Noted {
  /** Until then it counts. */
  readonly untilMs: number;
  readonly position: Position | undefined;
}

/**
 * Those under way on this node: the second waits for the first, and gets the same answer. And the latest that were
 * published or received here: repeating one need not ask the engine, which may have lost it, and no subscriber gets it again.
 */
export class IdempotencyKeys {
  readonly #clock: Clock;
  readonly #underway = new Map<string, Promise<Position | undefined>>();
  /** The oldest first. */
  readonly #published = new Map<string, Noted>();
  readonly #received = new Map<string, Noted>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Where it was published before, the position is missing unless this node still knows it. Throws what `publish` throws. */
  publish(
    publication: EventPublication,
    publisherKey: string,
    publish: (once: IdempotencyKey) => Awaitable<Position | "repeated" | undefined>,
    ttlMs = REMEMBERED_MS,
  ): Promise<Position | undefined> {
    const key = nameOf(publication, publisherKey);
    const underway = this.#underway.get(key);
    if (underway) return underway;
    const known = this.#find(this.#received, key) ?? this.#find(this.#published, key);
    if (known) return Promise.resolve(known.position);
    const work = this.#first({ key, ttlMs }, publish).finally(() => this.#underway.delete(key));
    this.#underway.set(key, work);
    return work;
  }

  /** Whether it is the first that is received here under its key. */
  isFirst({ key, position }: EventPublication): boolean {
    if (key === undefined) return true;
    const known = this.#find(this.#received, key);
    const untilMs = known?.untilMs ?? this.#clock.monotonicMs() + RECEIVED_MS;
    note(this.#received, key, { untilMs, position: position ?? known?.position });
    return known === undefined;
  }

  async #first(
    once: IdempotencyKey,
    publish: (once: IdempotencyKey) => Awaitable<Position | "repeated" | undefined>,
  ): Promise<Position | undefined> {
    const untilMs = this.#clock.monotonicMs() + REMEMBERED_MS;
    const done = await publish(once);
    // Since when that counts is known only of the first.
    if (done === "repeated") return undefined;
    note(this.#published, once.key, { untilMs, position: done });
    return done;
  }

  #find(noted: ReadonlyMap<string, Noted>, key: string): Noted | undefined {
    const found = noted.get(key);
    return found && found.untilMs > this.#clock.monotonicMs() ? found : undefined;
  }
}

function note(noted: Map<string, Noted>, key: string, what: Noted): void {
  noted.delete(key);
  noted.set(key, what);
  const [oldest] = noted.keys();
  if (noted.size > MOST && oldest !== undefined) noted.delete(oldest);
}

/** Of one length, and of letters that every engine takes. One client must not use up the keys of another, nor of the back end. */
export function nameOf(
  { app, channel, from }: Pick<EventPublication, "app" | "channel" | "from">,
  key: string,
): string {
  const name = JSON.stringify([app, channel, from ? ["client", from.user] : "back end", key]);
  return createHash("sha256").update(name).digest("base64url");
}

export function isIdempotencyKey(key: string): boolean {
  return key.length > 0 && key.length <= KEY_LENGTH;
}

export function checkIdempotencyKey(key: string): void {
  if (isIdempotencyKey(key)) return;
  throw new CommandError("data_invalid", `An idempotency key has 1 to ${KEY_LENGTH} characters.`);
}
