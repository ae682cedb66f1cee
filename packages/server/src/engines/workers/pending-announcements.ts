/**
 * What one worker was answered and has not announced yet: that a channel is occupied, that a member has left it. What other workers are
 * answered about the channel waits meanwhile, so that a first member is never announced before its channel.
 */

interface Entry<Worker> {
  readonly worker: Worker;
  readonly done: PromiseWithResolvers<void>;
  readonly late: ReturnType<typeof setTimeout>;
}

/** A worker that hangs, or whose database does, does not keep the others from counting. */
const MAX_WAIT_MS = 1_000;

export class PendingAnnouncements<Worker> {
  /** By channel; oldest first. */
  readonly #entries = new Map<string, readonly Entry<Worker>[]>();

  get size(): number {
    return this.#entries.size;
  }

  add(worker: Worker, channel: string): void {
    const late = setTimeout(() => this.#remove(channel, entry), MAX_WAIT_MS);
    late.unref();
    const entry: Entry<Worker> = { worker, done: Promise.withResolvers(), late };
    this.#entries.set(channel, [...(this.#entries.get(channel) ?? []), entry]);
  }

  /** Resolves when the others have announced what they have to announce now; undefined where that is nothing. */
  waitForOthers(worker: Worker, channel: string): Promise<unknown> | undefined {
    const others = this.#entries.get(channel)?.filter((entry) => entry.worker !== worker);
    return others?.length ? Promise.all(others.map(({ done }) => done.promise)) : undefined;
  }

  /** The worker has announced the oldest of what it had to. */
  done(worker: Worker, channel: string): void {
    const entry = this.#entries.get(channel)?.find((one) => one.worker === worker);
    if (entry) this.#remove(channel, entry);
  }

  /** The worker is gone, and announces nothing any more. */
  removeWorker(worker: Worker): void {
    for (const [channel, entries] of this.#entries) {
      for (const entry of entries) if (entry.worker === worker) this.#remove(channel, entry);
    }
  }

  #remove(channel: string, entry: Entry<Worker>): void {
    clearTimeout(entry.late);
    const left = (this.#entries.get(channel) ?? []).filter((other) => other !== entry);
    if (left.length > 0) this.#entries.set(channel, left);
    else this.#entries.delete(channel);
    entry.done.resolve();
  }
}
