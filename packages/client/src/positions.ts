/** Where positions are kept beyond a page's life. */

import type { Environment } from "./environment.ts";
import type { Position, PositionStore } from "./types.ts";
import { within } from "./waiting.ts";

const WAIT_MS = 1_000;

/** A store whose faults and slowness cost no more than the position. */
export class KeptPositions {
  readonly #store: PositionStore | undefined;
  readonly #environment: Environment;
  /** Of the app and the user: another user's positions are none. */
  readonly #scope: () => string;

  constructor(store: PositionStore | undefined, environment: Environment, scope: () => string) {
    this.#store = store;
    this.#environment = environment;
    this.#scope = scope;
  }

  get(channel: string, signal: AbortSignal): Promise<Position | undefined> | undefined {
    const store = this.#store;
    if (!store) return undefined;
    const get = () => store.get(this.#scope() + channel);
    return within(this.#environment, WAIT_MS, "Reading a position", signal, get).catch(() => undefined);
  }

  set(channel: string, position: Position): void {
    void this.#quietly((store) => store.set(this.#scope() + channel, position));
  }

  delete(channel: string): void {
    void this.#quietly((store) => store.delete(this.#scope() + channel));
  }

  async #quietly(use: (store: PositionStore) => unknown): Promise<void> {
    try {
      if (this.#store) await use(this.#store);
    } catch {
      // It is a convenience: without it the next page begins anew.
    }
  }
}
