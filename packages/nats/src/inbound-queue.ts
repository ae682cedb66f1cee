/** What arrives from NATS, in the order of arrival: held back while a connection is prepared, and while a caller continues. */

/** A node that is further behind loses its connection, and reads everything again on the next one. */
const MAX_HELD = 200_000;

export class InboundQueue {
  readonly #overflow: () => void;
  #held: (() => void)[] | undefined;
  #isYielding = false;
  #isHeld = false;

  constructor(overflow: () => void) {
    this.#overflow = overflow;
  }

  push(work: () => void): void {
    if (!this.#held) return work();
    if (this.#held.length >= MAX_HELD) return this.#overflow();
    this.#held.push(work);
  }

  /** Runs nothing until `release`; what waited before is dropped. */
  hold(): void {
    this.#isHeld = true;
    this.#held = [];
  }

  release(): void {
    this.#isHeld = false;
    if (!this.#isYielding) this.#run();
  }

  /** A caller was just answered: continues when everything that the answer started has come to rest. */
  yieldToCaller(): void {
    if (this.#isYielding) return;
    this.#isYielding = true;
    this.#held ??= [];
    setImmediate(() => {
      this.#isYielding = false;
      if (!this.#isHeld) this.#run();
    });
  }

  #run(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [at, work] of held.entries()) {
      work();
      // One of them may have yielded or begun a hold of its own; the rest comes before anything later.
      if (this.#isHeld) return;
      if (this.#isYielding) {
        this.#held = held.slice(at + 1);
        return;
      }
    }
  }
}
