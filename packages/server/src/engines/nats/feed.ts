/** All that NATS tells this node, in the order in which it came: held back while a connection is made good, and while somebody has a turn. */

/** What waits; more than that was lost, and the connection with it. */
const MOST_HELD = 200_000;

export class Feed {
  readonly #overflow: () => void;
  #held: (() => void)[] | undefined;
  #isPaused = false;
  #isHeld = false;

  constructor(overflow: () => void) {
    this.#overflow = overflow;
  }

  take(work: () => void): void {
    if (!this.#held) return work();
    if (this.#held.length >= MOST_HELD) return this.#overflow();
    this.#held.push(work);
  }

  /** Nothing is worked off until it is released; what waited before is forgotten. */
  hold(): void {
    this.#isHeld = true;
    this.#held = [];
  }

  release(): void {
    this.#isHeld = false;
    if (!this.#isPaused) this.#work();
  }

  /** Whoever was just answered comes first: goes on when all that the answer set going has come to rest. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#held ??= [];
    setImmediate(() => {
      this.#isPaused = false;
      if (!this.#isHeld) this.#work();
    });
  }

  #work(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [at, work] of held.entries()) {
      work();
      // One of them may have begun a pause or a hold of its own; the rest comes before anything later.
      if (this.#isHeld) return;
      if (this.#isPaused) {
        this.#held = held.slice(at + 1);
        return;
      }
    }
  }
}
