/**
 * Which readers are subscribed to which topic, where Bun's own topics do not serve: those end at one listener, and a renewed certificate
 * makes a second; and their readers are WebSockets only.
 */

interface TopicReader<M> {
  /** Those it is subscribed to. */
  readonly topics: Set<string>;
  /** Whether it got the message, where it can say. */
  send(message: M): unknown;
}

export class Topics<R extends TopicReader<M>, M> {
  readonly #readers = new Map<string, Set<R>>();

  has(topic: string): boolean {
    return this.#readers.has(topic);
  }

  subscribe(reader: R, topic: string): void {
    const readers = this.#readers.get(topic) ?? new Set();
    this.#readers.set(topic, readers.add(reader));
    reader.topics.add(topic);
  }

  unsubscribe(reader: R, topic: string): void {
    const readers = this.#readers.get(topic);
    reader.topics.delete(topic);
    if (readers?.delete(reader) && readers.size === 0) this.#readers.delete(topic);
  }

  unsubscribeAll(reader: R): void {
    for (const topic of reader.topics) this.unsubscribe(reader, topic);
  }

  /** How many it reached. */
  publish(topic: string, message: M, except?: R): number {
    let sent = 0;
    const readers = this.#readers.get(topic);
    if (readers) for (const reader of readers) if (reader !== except && reader.send(message)) sent++;
    return sent;
  }
}
