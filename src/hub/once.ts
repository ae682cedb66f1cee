/** Publications with a key of the publisher's: a second one is answered like the first, and published once. */

import { createHash } from "node:crypto";
import { CommandError } from "../domain/error.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Once } from "../domain/ports.ts";

/** How long a key is remembered. */
const REMEMBERED_MS = 300_000;
const KEY_LENGTH = 128;

/** Those under way on this node: who comes second waits for the first, and is told what it is told. */
export class Underway {
  readonly #byKey = new Map<string, Promise<Position | undefined>>();

  /** Resolves without a position where it was published before. Throws what `publish` throws. */
  publish(
    publication: EventPublication,
    publisherKey: string,
    publish: (once: Once) => Awaitable<Position | undefined>,
  ): Promise<Position | undefined> {
    const key = nameOf(publication, publisherKey);
    const underway = this.#byKey.get(key);
    if (underway) return underway;
    const work = (async () => publish({ key, ttlMs: REMEMBERED_MS }))().finally(() => this.#byKey.delete(key));
    this.#byKey.set(key, work);
    return work;
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
