/**
 * Reads what stands in the stream under a pattern. A consumer is the quick way; but whoever makes consumers in a cluster may be the server that has
 * just gone, or may give them to it, for many seconds. Then the stream's leader is asked for one message after the other.
 */

import type { Wire } from "./link.ts";

export interface Stored {
  readonly seq: number;
  readonly subject: string;
  readonly text: string;
}

export interface Wanted {
  readonly stream: string;
  /** Of subjects. */
  readonly pattern: string;
  /** Only what stands before it; a message that fits the pattern stands there. */
  readonly end: number;
  readonly timeoutMs: number;
}

const READ_AT_A_TIME = 5_000;
/** What a consumer takes that is made at once. */
const CONSUMER_WITHIN_MS = 500;

/** Each subject's last message, in the order of the stream. */
export async function readAll(wire: Wire, wanted: Wanted): Promise<readonly Stored[]> {
  const isDone = { yet: false };
  const oneByOne = async () => {
    await Bun.sleep(CONSUMER_WITHIN_MS);
    return await readOneByOne(wire, wanted, isDone);
  };
  try {
    return await Promise.any([readWithConsumer(wire, wanted), oneByOne()]);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    isDone.yet = true;
  }
}

async function readWithConsumer(wire: Wire, { stream, pattern, end, timeoutMs }: Wanted): Promise<readonly Stored[]> {
  const consumer = await wire.stream.consumers.get(stream, { filter_subjects: pattern });
  const found: Stored[] = [];
  try {
    for (let seq = 0; seq < end; ) {
      const before = seq;
      const messages = await consumer.fetch({ max_messages: READ_AT_A_TIME, expires: timeoutMs });
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
  { streams }: Wire,
  { stream, pattern, end }: Wanted,
  isDone: { readonly yet: boolean },
): Promise<readonly Stored[]> {
  const found: Stored[] = [];
  for (let seq = 0; !isDone.yet; ) {
    // The library's type for it leaves out that both may be said.
    const next = { seq: seq + 1, next_by_subj: pattern };
    const message = await streams.getMessage(stream, next);
    if (!message || message.seq >= end) break;
    seq = message.seq;
    found.push({ seq, subject: message.subject, text: message.string() });
  }
  return found;
}
