/**
 * What is remembered for days: a second stream, made when it is first needed. The first one keeps everything as long as what it
 * has to keep longest, and it holds every channel's last message.
 */

import type { StreamInfo } from "@nats-io/jetstream";
import type { LastValueStore } from "./compare-and-set.ts";
import { type Connection, currentSession, type NatsSession } from "./connection.ts";
import { jetStreamCode } from "./errors.ts";
import type { StoredMessage } from "./read-stream.ts";
import type { NatsSettings } from "./settings.ts";
import { type AppendOptions, maxAgeMs, STREAM_NAME_IN_USE, STREAM_NOT_FOUND, Stream } from "./stream.ts";
import type { Subjects } from "./subjects.ts";

/** A second, of which a cluster needs a few hundredths. */
const MOST_LOOKS = 20;
const PAUSE_MS = 50;

export class LongTermStore implements LastValueStore {
  readonly #stream: Stream;
  readonly #connection: Connection;
  /** How long it keeps what is written; 0 where it is not known whether it is there. */
  #maxAgeMs = 0;
  /** One at a time, since a cluster answers only one of several that make the same stream. What waits for one that fails, fails. */
  #raising: Promise<void> | undefined;

  constructor({ replicas }: NatsSettings, subjects: Subjects, connection: Connection) {
    this.#stream = new Stream(subjects.longTermStream, { subjects: [subjects.longTerm] }, replicas);
    this.#connection = connection;
  }

  /** Makes sure that the stream is there, and that messages stay at least so long. */
  async keepFor(ttlMs: number): Promise<void> {
    if (ttlMs <= this.#maxAgeMs) return;
    const work = (this.#raising ?? Promise.resolve()).then(() => this.#raise(ttlMs));
    this.#raising = work;
    await work.finally(() => {
      if (this.#raising === work) this.#raising = undefined;
    });
  }

  async #raise(ttlMs: number): Promise<void> {
    if (ttlMs <= this.#maxAgeMs) return;
    const session = currentSession(this.#connection);
    const wantedMs = inSteps(ttlMs);
    const foundMs = maxAgeMs((await this.#stream.find(session)) ?? (await this.#create(session, wantedMs)));
    if (foundMs < ttlMs) await this.#stream.setMaxAge(session, wantedMs);
    this.#maxAgeMs = foundMs < ttlMs ? wantedMs : foundMs;
  }

  /**
   * Another node may be making it at the same moment, to keep messages for another time. In a cluster the name is then taken a while
   * before the stream is found, or there is no answer.
   */
  async #create(session: NatsSession, maxAgeMs: number): Promise<StreamInfo> {
    try {
      return await this.#stream.create(session, maxAgeMs);
    } catch (error) {
      const looks = jetStreamCode(error) === STREAM_NAME_IN_USE ? MOST_LOOKS : 1;
      for (let look = 0; look < looks; look++) {
        const made = await this.#stream.find(session);
        if (made) return made;
        await Bun.sleep(PAUSE_MS);
      }
      throw error;
    }
  }

  async append(subject: string, text: string, options: AppendOptions = {}): Promise<number> {
    return (await this.#stream.append(currentSession(this.#connection), subject, text, options)).seq;
  }

  async last(subject: string): Promise<StoredMessage | undefined> {
    try {
      return await this.#stream.last(currentSession(this.#connection), subject);
    } catch (error) {
      if (jetStreamCode(error) === STREAM_NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** On another connection nothing need be as it was. */
  clear(): void {
    this.#maxAgeMs = 0;
  }

  async removeIfEmpty(): Promise<void> {
    await this.#stream.removeIfEmpty(currentSession(this.#connection));
  }
}

/** The next power of two of minutes: those who ask at the same moment for about the same time ask for the same. */
function inSteps(ms: number): number {
  return 60_000 * 2 ** Math.ceil(Math.log2(Math.max(1, ms / 60_000)));
}
