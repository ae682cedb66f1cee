/** Publications with a key of the publisher's: a second one is answered like the first, and published once. */

import { CommandError } from "../domain/error.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Ledger } from "../domain/ports.ts";

/** How long a key is remembered. */
const REMEMBERED_MS = 300_000;
/** How long a node is believed to be at work on one: longer than an engine makes a publish wait. */
const AT_WORK_MS = 15_000;
const KEY_LENGTH = 128;

export class Once {
  readonly #ledger: Ledger;
  readonly #failed: (error: unknown, during: string) => void;
  /** Of this node: who comes second waits for the first, and is told what it is told. */
  readonly #underway = new Map<string, Promise<Position | undefined>>();

  constructor(ledger: Ledger, failed: (error: unknown, during: string) => void) {
    this.#ledger = ledger;
    this.#failed = failed;
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
    const isMine = await this.#ledger.once(work, AT_WORK_MS);
    if (await this.#ledger.noted(done)) {
      if (isMine) await this.#note(() => this.#ledger.forget(work));
      return undefined;
    }
    if (!isMine) {
      throw new CommandError("engine_unavailable", "A publication with this key is under way on another node.");
    }
    let position: Position | undefined;
    try {
      position = await publish();
    } catch (error) {
      await this.#note(() => this.#ledger.forget(work));
      throw error;
    }
    await this.#note(() => this.#ledger.once(done, REMEMBERED_MS));
    return position;
  }

  /** It is published or not, whether that could be written down or not. */
  async #note(write: () => Awaitable<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#failed(error, "noting that a publication was made");
    }
  }
}

export function checkKey(key: string): void {
  if (key.length > 0 && key.length <= KEY_LENGTH) return;
  throw new CommandError("data_invalid", `An idempotency key has 1 to ${KEY_LENGTH} characters.`);
}
