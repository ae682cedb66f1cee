/** Collects what is to be sent in one tick, so that it costs one message. */

export class TickBatch<Item> {
  readonly #send: (items: readonly Item[]) => void;
  #items: Item[] = [];
  #isScheduled = false;

  constructor(send: (items: readonly Item[]) => void) {
    this.#send = send;
  }

  add(item: Item): void {
    this.#items.push(item);
    this.schedule();
  }

  /** Sends at the end of the tick, even if there is nothing but the sign of life. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }

  /** Sends now what is scheduled. */
  flush(): void {
    if (!this.#isScheduled) return;
    const items = this.#items;
    this.#items = [];
    this.#isScheduled = false;
    this.#send(items);
  }
}
