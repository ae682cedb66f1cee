/** A queue in a ring, as long as it has to be. Dropping the oldest costs the same, however many come after it. */

export class Ring<T> {
  /** None, or a power of two. */
  #places: (T | undefined)[] = [];
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The oldest is at 0. */
  at(index: number): T | undefined {
    return index < this.#length ? this.#places[(this.#first + index) & (this.#places.length - 1)] : undefined;
  }

  push(item: T): void {
    if (this.#length === this.#places.length) this.#grow();
    this.#places[(this.#first + this.#length++) & (this.#places.length - 1)] = item;
  }

  /** Where there is one at that place. */
  replace(index: number, item: T): void {
    if (index < this.#length) this.#places[(this.#first + index) & (this.#places.length - 1)] = item;
  }

  /** Drops so many of the oldest: none where that is negative, all where there are fewer. */
  drop(count: number): void {
    if (count >= this.#length) return this.#clear();
    const mask = this.#places.length - 1;
    for (let left = count; left > 0; left--) {
      this.#places[this.#first] = undefined;
      this.#first = (this.#first + 1) & mask;
      this.#length--;
    }
  }

  /** A copy of these places, none of them negative, as that of an array. */
  slice(from = 0, to = this.#length): T[] {
    const size = this.#places.length;
    const begin = this.#first + Math.min(from, this.#length);
    const end = this.#first + Math.min(to, this.#length);
    const items = this.#places.slice(begin, end);
    return (end <= size ? items : items.concat(this.#places.slice(Math.max(begin - size, 0), end - size))) as T[];
  }

  #grow(): void {
    const items = this.slice();
    this.#places = items.concat(new Array(Math.max(1, items.length)));
    this.#first = 0;
  }

  #clear(): void {
    this.#places = [];
    this.#first = 0;
    this.#length = 0;
  }
}
