/**
 * Reads what the stream has under a pattern. A consumer is the quick way; but the server that makes consumers in a cluster may be the one that has
 * just gone, or may give them to it, for many seconds. Then the stream's leader is asked for one message after the other.
 */

import type { NatsSession } from "./connection.ts";

export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly text: string;
}

export interface ReadOptions {
  readonly stream: string;
  /** Of subjects. */
  readonly pattern: string;
  /** Reads only what stands before it; the message with this sequence fits the pattern. */
  readonly end: number;
  readonly timeoutMs: number;
}

const MESSAGES_PER_FETCH = 5_000;
/** What a consumer takes that is made at once. */
const CONSUMER_WITHIN_MS = 500;

/** Each subject's last message, in the order of the stream. */
export async function readStream(session: NatsSession, options: ReadOptions): Promise<readonly StoredMessage[]> {
  const done = new AbortController();
  const oneByOne = async () => {
    await Bun.sleep(CONSUMER_WITHIN_MS);
    return await readOneByOne(session, options, done.signal);
  };
  try {
    return await Promise.any([readWithConsumer(session, options), oneByOne()]);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    done.abort();
  }
}

async function readWithConsumer(
  { jetstream }: NatsSession,
  { stream, pattern, end, timeoutMs }: ReadOptions,
): Promise<readonly StoredMessage[]> {
  const consumer = await jetstream.consumers.get(stream, { filter_subjects: pattern });
  const found: StoredMessage[] = [];
  try {
    for (let seq = 0; seq < end; ) {
      const before = seq;
      const messages = await consumer.fetch({ max_messages: MESSAGES_PER_FETCH, expires: timeoutMs });
      for await (const message of messages) {
        seq = message.seq;
        if (seq < end) found.push({ seq, subject: message.subject, text: message.string() });
        if (seq >= end) break;
      }
      if (seq === before) throw new Error("what the nodes wrote cannot be read");
    }
    return found;
  } finally {
    await consumer.delete().catch(() => false);
  }
}

async function readOneByOne(
  { streams }: NatsSession,
  { stream, pattern, end }: ReadOptions,
  done: AbortSignal,
): Promise<readonly StoredMessage[]> {
  const found: StoredMessage[] = [];
  for (let seq = 0; !done.aborted; ) {
    // The library's type for it leaves out that both may be given.
    const next = { seq: seq + 1, next_by_subj: pattern };
    const message = await streams.getMessage(stream, next);
    if (!message || message.seq >= end) break;
    seq = message.seq;
    found.push({ seq, subject: message.subject, text: message.string() });
  }
  return found;
}
