/** A JetStream stream that keeps each subject's last message in memory: how it is made, written to, asked and removed. */

import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { NatsSession } from "./connection.ts";
import { appendError, jetStreamCode } from "./errors.ts";
import type { StoredMessage } from "./read-stream.ts";
import type { NatsSettings } from "./settings.ts";

export interface AppendOptions {
  /** Of the subject's last message, 0 where there must be none. Throws WriteConflict where it is another. */
  readonly expect?: number;
  /** A second message with the same id within a while is not written, and answered like the first. */
  readonly id?: string;
}

export interface Appended {
  /** The message's sequence in the stream. */
  readonly seq: number;
  /** A message with this id was written before. */
  readonly isRepeated: boolean;
}

const LAST_OF_EACH = {
  retention: RetentionPolicy.Limits,
  storage: StorageType.Memory,
  discard: DiscardPolicy.Old,
  max_msgs_per_subject: 1,
} as const;

export const STREAM_NOT_FOUND = 10_059;
/** By a stream that is configured otherwise. */
export const STREAM_NAME_IN_USE = 10_058;
/** Too few servers, or too few with room, for so many copies. */
const TOO_FEW = new Set([10_005, 10_074, 10_023, 10_047]);
const REPLICAS_IN_CLUSTER = 3;

export class Stream {
  readonly name: string;
  readonly #config: Partial<StreamConfig>;
  readonly #replicas: NatsSettings["replicas"];

  constructor(name: string, config: Partial<StreamConfig>, replicas: NatsSettings["replicas"]) {
    this.name = name;
    this.#config = config;
    this.#replicas = replicas;
  }

  async find({ streams }: NatsSession): Promise<StreamInfo | undefined> {
    try {
      return await streams.info(this.name);
    } catch (error) {
      if (jetStreamCode(error) === STREAM_NOT_FOUND) return undefined;
      throw error;
    }
  }

  /**
   * With as many copies as the settings say; by itself with one, where there are too few servers for more. Another node may make
   * the same stream at the same time; where it makes another, that is an error, and the next attempt finds it.
   */
  async create(session: NatsSession, maxAgeMs: number): Promise<StreamInfo> {
    const make = (replicas: number) =>
      session.streams.add({
        name: this.name,
        ...this.#config,
        ...LAST_OF_EACH,
        max_age: nanos(maxAgeMs),
        num_replicas: replicas,
      });
    const isAuto = this.#replicas === "auto";
    const most = this.#replicas === "auto" ? (session.nats.info?.cluster ? REPLICAS_IN_CLUSTER : 1) : this.#replicas;
    try {
      return await make(most);
    } catch (error) {
      if (!isAuto || most === 1 || !TOO_FEW.has(jetStreamCode(error) ?? 0)) throw error;
      return await make(1);
    }
  }

  async setMaxAge({ streams }: NatsSession, maxAgeMs: number): Promise<void> {
    await streams.update(this.name, { max_age: nanos(maxAgeMs) });
  }

  /** Throws WriteConflict; any other error leaves open whether it was written. */
  async append({ jetstream }: NatsSession, subject: string, text: string, options: AppendOptions): Promise<Appended> {
    const { expect, id } = options;
    try {
      const expected = expect === undefined ? {} : { expect: { lastSubjectSequence: expect } };
      const { seq, duplicate } = await jetstream.publish(subject, text, {
        ...expected,
        ...(id !== undefined && { msgID: id }),
      });
      return { seq, isRepeated: duplicate };
    } catch (error) {
      throw appendError(error);
    }
  }

  /** The subject's message, as the stream's leader has it. */
  async last({ streams }: NatsSession, subject: string): Promise<StoredMessage | undefined> {
    const found = await streams.getMessage(this.name, { last_by_subj: subject });
    return found ? { seq: found.seq, subject, text: found.string() } : undefined;
  }

  async removeIfEmpty(session: NatsSession): Promise<void> {
    if ((await this.find(session))?.state.messages === 0) await session.streams.delete(this.name);
  }
}

export function maxAgeMs({ config }: StreamInfo): number {
  return config.max_age / 1e6;
}
