/** What both streams are made of, and how one is written to and asked. */

import { DiscardPolicy, RetentionPolicy, StorageType, type StreamInfo } from "@nats-io/jetstream";
import { apiCode, appendFault } from "./fault.ts";
import type { Wire } from "./link.ts";
import type { Stored } from "./reading.ts";
import type { NatsSettings } from "./settings.ts";

export interface AppendOptions {
  /** Of the subject's last message, 0 where there must be none. Throws Conflict where it is another. */
  readonly expect?: number;
  /** A second one with the same id within a while is not written, and answered like the first. */
  readonly id?: string;
}

export interface Appended {
  /** The message's, in the stream. */
  readonly seq: number;
  /** One with this id was written before. */
  readonly isRepeated: boolean;
}

/** Each subject's last message, in memory. */
export const LAST_OF_EACH = {
  retention: RetentionPolicy.Limits,
  storage: StorageType.Memory,
  discard: DiscardPolicy.Old,
  max_msgs_per_subject: 1,
} as const;

export const STREAM_NOT_FOUND = 10_059;
/** Too few servers, or too few with room, for so many copies. */
const TOO_FEW = new Set([10_005, 10_074, 10_023, 10_047]);
const REPLICAS_IN_CLUSTER = 3;

/** Throws Conflict; anything else leaves open whether it was written. */
export async function append(
  { stream }: Wire,
  subject: string,
  text: string,
  { expect, id }: AppendOptions,
): Promise<Appended> {
  try {
    const expected = expect === undefined ? {} : { expect: { lastSubjectSequence: expect } };
    const options = { ...expected, ...(id !== undefined && { msgID: id }) };
    const { seq, duplicate } = await stream.publish(subject, text, options);
    return { seq, isRepeated: duplicate };
  } catch (error) {
    throw appendFault(error);
  }
}

/** The subject's message, as the stream's leader has it. */
export async function lastOf({ streams }: Wire, stream: string, subject: string): Promise<Stored | undefined> {
  const found = await streams.getMessage(stream, { last_by_subj: subject });
  return found ? { seq: found.seq, subject, text: found.string() } : undefined;
}

/** Makes a stream with as many copies as the settings say; by itself with one, where there are too few servers for more. */
export async function withReplicas(
  { replicas }: Pick<NatsSettings, "replicas">,
  wire: Wire,
  make: (replicas: number) => Promise<StreamInfo>,
): Promise<StreamInfo> {
  const most = replicas === "auto" ? (wire.nats.info?.cluster ? REPLICAS_IN_CLUSTER : 1) : replicas;
  try {
    return await make(most);
  } catch (error) {
    if (replicas !== "auto" || most === 1 || !TOO_FEW.has(apiCode(error) ?? 0)) throw error;
    return await make(1);
  }
}
