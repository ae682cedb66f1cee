/** Publications with a key of the publisher's: a second one is answered like the first, and published once. */

import { CommandError } from "../domain/error.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Ledger } from "../domain/ports.ts";

/** How long a key is remembered. */
const REMEMBERED_MS = 300_000;
/** A node is believed to be at work on one for so much longer than an engine makes a publication wait. */
const SLACK_MS = 10_000;
const KEY_LENGTH = 128;

interface Host {
  readonly ledger: Ledger;
  readonly publishWaitS: () => number;
  failed(error: unknown, during: string): void;
}

export class Once {
  readonly #host: Host;
  /** Of this node: who comes second waits for the first, and is told what it is told. */
  readonly #underway = new Map<string, Promise<Position | undefined>>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Resolves without a position where it was published before. Throws what `publish` throws, and then the key is new. */
  publish(
    publication: EventPublication,
    key: string,
    publish: () => Awaitable<Position | undefined>,
  ): Promise<Position | undefined> {
    const { app, channel, from } = publication;
    // One client must not use up the keys of another, nor of the back end.
    const name = JSON.stringify([app, channel, from ? ["client", from.user] : "back end", key]);
    const underway = this.#underway.get(name);
    if (underway) return underway;
    const work = this.#first(name, publish).finally(() => this.#underway.delete(name));
    this.#underway.set(name, work);
    return work;
  }

  async #first(name: string, publish: () => Awaitable<Position | undefined>): Promise<Position | undefined> {
    const [work, done] = [`publishing ${name}`, `published ${name}`];
    const { ledger, publishWaitS } = this.#host;
    const isMine = await ledger.once(work, publishWaitS() * 1000 + SLACK_MS);
    if (await ledger.noted(done)) {
      if (isMine) await this.#note(() => ledger.forget(work));
      return undefined;
    }
    if (!isMine) {
      throw new CommandError("engine_unavailable", "A publication with this key is under way on another node.");
    }
    let position: Position | undefined;
    try {
      position = await publish();
    } catch (error) {
      // Not waited for: where the engine is away, that would take as long again.
      void this.#note(() => ledger.forget(work));
      throw error;
    }
    await this.#note(() => ledger.once(done, REMEMBERED_MS));
    return position;
  }

  /** It is published or not, whether that could be written down or not. */
  async #note(write: () => Awaitable<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#host.failed(error, "noting that a publication was made");
    }
  }
}

export function checkKey(key: string): void {
  if (key.length > 0 && key.length <= KEY_LENGTH) return;
  throw new CommandError("data_invalid", `An idempotency key has 1 to ${KEY_LENGTH} characters.`);
}
