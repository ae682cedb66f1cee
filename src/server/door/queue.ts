/**
 * Lets newcomers in a few at a time when thousands come at once: between two lots whoever is inside is heard, and new connections are
 * taken off the kernel's queue, which is no longer than 512 with Bun and drops what does not fit.
 */

/** A handshake and what follows it cost 0.1 to 0.2 ms, so that a lot takes some four. */
const LOT = 20;

export class Queue {
  readonly #waiting: (() => void)[] = [];
  /** Those who went in during this turn of the event loop. */
  #entered = 0;
  #isTurning = false;

  /** Resolves when it is the caller's turn; undefined where that is at once. */
  wait(): Promise<void> | undefined {
    this.#turn();
    if (this.#entered < LOT) {
      this.#entered++;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    return promise;
  }

  #turn(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      const lot = this.#waiting.splice(0, LOT);
      this.#entered = lot.length;
      for (const enter of lot) enter();
      if (lot.length > 0) this.#turn();
    });
  }
}
