/** Publications with a key of the publisher's: a second one is answered like the first, and published once. */

import { createHash } from "node:crypto";
import { CommandError } from "../domain/error.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Clock, Once } from "../domain/ports.ts";

/** How long a key is remembered. */
const REMEMBERED_MS = 300_000;
/** Of those that this node published itself. The engine remembers all. */
const MOST_OWN = 10_000;
const KEY_LENGTH = 128;

/**
 * Those under way on this node: who comes second waits for the first, and is told what it is told. And the latest that are
 * done: who repeats one need not ask the engine, and no program hears of it again.
 */
export class Keys {
  readonly #clock: Clock;
  readonly #underway = new Map<string, Promise<Position | undefined>>();
  /** Each with the time until which it counts, the oldest first. */
  readonly #done = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves without a position where it was published before. Throws what `publish` throws. */
  publish(
    publication: EventPublication,
    publisherKey: string,
    publish: (once: Once) => Awaitable<Position | "repeated" | undefined>,
  ): Promise<Position | undefined> {
    const key = nameOf(publication, publisherKey);
    const underway = this.#underway.get(key);
    if (underway) return underway;
    if ((this.#done.get(key) ?? 0) > this.#clock.monotonicMs()) return Promise.resolve(undefined);
    const work = this.#first(key, publish).finally(() => this.#underway.delete(key));
    this.#underway.set(key, work);
    return work;
  }

  async #first(
    key: string,
    publish: (once: Once) => Awaitable<Position | "repeated" | undefined>,
  ): Promise<Position | undefined> {
    const untilMs = this.#clock.monotonicMs() + REMEMBERED_MS;
    const done = await publish({ key, ttlMs: REMEMBERED_MS });
    // Since when that counts is known only of the first.
    if (done === "repeated") return undefined;
    this.#done.delete(key);
    this.#done.set(key, untilMs);
    const [oldest] = this.#done.keys();
    if (this.#done.size > MOST_OWN && oldest !== undefined) this.#done.delete(oldest);
    return done;
  }
}

/** Of one length, and of letters that every engine takes. One client must not use up the keys of another, nor of the back end. */
function nameOf({ app, channel, from }: EventPublication, key: string): string {
  const name = JSON.stringify([app, channel, from ? ["client", from.user] : "back end", key]);
  return createHash("sha256").update(name).digest("base64url");
}

export function checkKey(key: string): void {
  if (key.length > 0 && key.length <= KEY_LENGTH) return;
  throw new CommandError("data_invalid", `An idempotency key has 1 to ${KEY_LENGTH} characters.`);
}
