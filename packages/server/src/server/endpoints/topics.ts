/** Which sockets are subscribed to which topic of one endpoint. Not Bun's topics: those end at one listener, and a renewed certificate makes a second. */

import type { Raw } from "./endpoint.ts";

interface TopicSubscriber {
  readonly topics: Set<string>;
  send(message: Raw): boolean;
}

export class Topics<R extends TopicSubscriber> {
  readonly #readers = new Map<string, Set<R>>();

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
    for (const topic of [...reader.topics]) this.unsubscribe(reader, topic);
  }

  /** How many it reached. */
  publish(topic: string, message: Raw, except?: R): number {
    let sent = 0;
    for (const reader of this.#readers.get(topic) ?? []) if (reader !== except && reader.send(message)) sent++;
    return sent;
  }
}
