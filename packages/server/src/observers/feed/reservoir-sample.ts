/** A few of many, each as likely to be among them as any other, whatever their number turns out to be. */

export class ReservoirSample<T> {
  readonly #size: number;
  readonly #random: () => number;
  #kept: { readonly at: number; readonly item: T }[] = [];
  #count = 0;

  /** `random` is from 0 up to, but not, 1. */
  constructor(size: number, random: () => number) {
    this.#size = size;
    this.#random = random;
  }

  add(item: T): void {
    const at = this.#count++;
    if (at < this.#size) {
      this.#kept.push({ at, item });
      return;
    }
    const place = Math.floor(this.#random() * this.#count);
    if (place < this.#size) this.#kept[place] = { at, item };
  }

  /** In the order of their coming, and how many are not among them; then it is empty. */
  take(): { readonly items: readonly T[]; readonly leftOut: number } {
    const kept = this.#kept.sort((one, other) => one.at - other.at);
    const leftOut = this.#count - kept.length;
    this.#kept = [];
    this.#count = 0;
    return { items: kept.map(({ item }) => item), leftOut };
  }
}
