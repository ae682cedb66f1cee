/** Takes out of the stream what nobody needs any more, so much at a time. */

import type { Store } from "./store.ts";

const AT_A_TIME = 16;

export class Broom {
  readonly #store: Store;
  readonly #waiting: number[] = [];
  #sweeping = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The message with this sequence; what was written in its place since stays. */
  sweep(seq: number): void {
    this.#waiting.push(seq);
    if (this.#sweeping < AT_A_TIME) void this.#run();
  }

  async #run(): Promise<void> {
    this.#sweeping++;
    for (let seq = this.#waiting.shift(); seq !== undefined; seq = this.#waiting.shift()) {
      try {
        await this.#store.remove(seq);
      } catch {
        // It is gone, or its age takes it away.
      }
    }
    this.#sweeping--;
  }
}
