/** Incarnations that are over, the latest last: what they still write does not count. */

/** How many are remembered. */
const MAX_REMEMBERED = 10_000;

export class ReapedIncarnations {
  readonly #names = new Set<string>();

  has(incarnation: string): boolean {
    return this.#names.has(incarnation);
  }

  add(incarnation: string): void {
    this.#names.add(incarnation);
    for (const oldest of this.#names) {
      if (this.#names.size <= MAX_REMEMBERED) return;
      this.#names.delete(oldest);
    }
  }
}
