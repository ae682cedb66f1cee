/** Work that nobody waits for: what goes wrong is told, and whoever ends the hub can see whether any is left. */

import type { Awaitable } from "../domain/ports.ts";

export class BackgroundTasks {
  readonly #failed: (error: unknown) => void;
  #running = 0;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  get isBusy(): boolean {
    return this.#running > 0;
  }

  /** Never rejects. */
  async run(work: () => Awaitable<unknown>): Promise<void> {
    this.#running++;
    try {
      await work();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#running--;
    }
  }
}
