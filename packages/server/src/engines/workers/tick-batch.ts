/** Collects what one tick has to say, so that it costs one message. */

export class TickBatch<Item> {
  readonly #flush: (items: readonly Item[]) => void;
  #items: Item[] = [];
  #isDue = false;

  constructor(flush: (items: readonly Item[]) => void) {
    this.#flush = flush;
  }

  get length(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    this.#items.push(item);
    this.schedule();
  }

  /** Something is to be sent at the end of the tick, if only to say that nothing is. */
  schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.flush());
  }

  /** At once; nothing where nothing is due. */
  flush(): void {
    if (!this.#isDue) return;
    const items = this.#items;
    this.#items = [];
    this.#isDue = false;
    this.#flush(items);
  }
}
