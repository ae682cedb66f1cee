/** Counts what arrives at all clients of a generator, and says when so much has. */

interface Goal {
  readonly frames: number;
  reached(): void;
}

export class Arrivals {
  /** Frames of all clients since the last reset. */
  frames = 0;
  /** Clients that were cut off. */
  lost = 0;
  #goal: Goal | undefined;

  add(frames: number): void {
    this.frames += frames;
    if (!this.#goal || this.frames < this.#goal.frames) return;
    this.#goal.reached();
    this.#goal = undefined;
  }

  reset(): void {
    this.frames = 0;
  }

  /** Resolves when so many frames have come since the reset; rejects when a reader was cut or they take too long. */
  async arrived(frames: number, timeoutMs: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#goal = { frames, reached: resolve };
    });
    if (this.frames >= frames) return;
    const late = Bun.sleep(timeoutMs).then(() => {
      if (this.frames >= frames) return;
      throw new Error(`${this.frames} of ${frames} frames came in ${timeoutMs} ms; ${this.lost} readers were lost.`);
    });
    await Promise.race([reached, late]);
  }
}
