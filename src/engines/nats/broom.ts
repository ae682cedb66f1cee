/** Takes out of the stream what nobody needs any more, so much at a time. */

import type { Store } from "./store.ts";

const AT_A_TIME = 16;

interface Dust {
  readonly subject: string;
  readonly upTo: number | undefined;
}

export class Broom {
  readonly #store: Store;
  readonly #waiting: Dust[] = [];
  #sweeping = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What the subject has up to that sequence, or at all. */
  sweep(subject: string, upTo?: number): void {
    this.#waiting.push({ subject, upTo });
    if (this.#sweeping < AT_A_TIME) void this.#run();
  }

  async #run(): Promise<void> {
    this.#sweeping++;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      try {
        await this.#store.purge(next.subject, next.upTo);
      } catch {
        // Then its age takes it away.
      }
    }
    this.#sweeping--;
  }
}
