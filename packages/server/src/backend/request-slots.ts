/** So many requests at a time; of the others, so many wait for their turn, and no longer than they may. */

export class RequestSlots {
  #taken = 0;
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();

  get isIdle(): boolean {
    return this.#taken === 0;
  }

  /** Whether the caller has a place, which it has to give back. */
  async acquire(most: number, mostWaiting: number, withinMs: number): Promise<boolean> {
    if (this.#taken < most) {
      this.#taken++;
      return true;
    }
    if (this.#waiting.size >= mostWaiting) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = () => resolve(true);
    this.#waiting.add(take);
    const timer = setTimeout(() => {
      this.#waiting.delete(take);
      resolve(false);
    }, withinMs);
    const hasPlace = await promise;
    clearTimeout(timer);
    return hasPlace;
  }

  /** The place goes to the one that has waited longest. */
  release(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#taken--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
