/**
 * What one node was answered and has not told on: that a channel is occupied, that a member has left it. What others are
 * answered about the channel waits meanwhile, so that nobody hears of a first member before its channel comes to life.
 */

interface Entry<Node> {
  readonly node: Node;
  readonly done: PromiseWithResolvers<void>;
  readonly late: ReturnType<typeof setTimeout>;
}

/** A node that hangs, or whose database does, does not keep the others from counting. */
const LONGEST_MS = 1_000;

export class PendingAnnouncements<Node> {
  /** The oldest first. */
  readonly #entries = new Map<string, readonly Entry<Node>[]>();

  get size(): number {
    return this.#entries.size;
  }

  add(node: Node, key: string): void {
    const late = setTimeout(() => this.#drop(key, entry), LONGEST_MS);
    late.unref();
    const entry: Entry<Node> = { node, done: Promise.withResolvers(), late };
    this.#entries.set(key, [...(this.#entries.get(key) ?? []), entry]);
  }

  /** Resolves when the others have told what they had to tell by now; undefined where that is nothing. */
  waitForOthers(node: Node, key: string): Promise<unknown> | undefined {
    const others = this.#entries.get(key)?.filter((entry) => entry.node !== node);
    return others?.length ? Promise.all(others.map(({ done: told }) => told.promise)) : undefined;
  }

  told(node: Node, key: string): void {
    const entry = this.#entries.get(key)?.find((one) => one.node === node);
    if (entry) this.#drop(key, entry);
  }

  /** The node tells nothing any more. */
  removeNode(node: Node): void {
    for (const [key, entries] of this.#entries) {
      for (const entry of entries) if (entry.node === node) this.#drop(key, entry);
    }
  }

  #drop(key: string, entry: Entry<Node>): void {
    clearTimeout(entry.late);
    const left = (this.#entries.get(key) ?? []).filter((other) => other !== entry);
    if (left.length > 0) this.#entries.set(key, left);
    else this.#entries.delete(key);
    entry.done.resolve();
  }
}
