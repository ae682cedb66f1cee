/** Readers that are no WebSockets, by the topics they are subscribed to: beside Bun's own topics, behind the same port. */

import type { TopicWriter } from "../../domain/transport.ts";

/** One of them. Two calls of `flush` are never due at a time. */
export interface TopicReader {
  send(frame: string): void;
  /** Writes what was sent to it. */
  flush(): void;
}

export class Streams implements TopicWriter {
  readonly #topics = new Map<string, Set<TopicReader>>();
  #unflushed: TopicReader[] = [];

  /** A socket's own publish does not get here. */
  isScattered(topic: string): boolean {
    return this.#topics.has(topic);
  }

  publish(topic: string, frame: string): void {
    const readers = this.#topics.get(topic);
    if (readers) for (const reader of readers) reader.send(frame);
  }

  subscribe(topic: string, reader: TopicReader): void {
    const readers = this.#topics.get(topic);
    if (readers) readers.add(reader);
    else this.#topics.set(topic, new Set([reader]));
  }

  unsubscribe(topic: string, reader: TopicReader): void {
    const readers = this.#topics.get(topic);
    if (readers?.delete(reader) && readers.size === 0) this.#topics.delete(topic);
  }

  /** What is sent to a reader in one turn of the event loop goes out in one write: ten frames cost it a third as much. */
  flushSoon(reader: TopicReader): void {
    if (this.#unflushed.push(reader) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const readers = this.#unflushed;
    this.#unflushed = [];
    for (const reader of readers) reader.flush();
  }
}
