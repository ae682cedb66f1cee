/**
 * The one stream with everything that nodes share. It keeps each subject's last message, so a write costs the same however much
 * there is, and it republishes in one order what is for every node.
 */

import type { Clock } from "fanfare/engine";
import type { LastValueStore } from "./compare-and-set.ts";
import { type Connection, currentSession, type NatsSession } from "./connection.ts";
import { jetStreamCode, WriteConflict } from "./errors.ts";
import { readStream, type StoredMessage } from "./read-stream.ts";
import type { NatsSettings } from "./settings.ts";
import { type Appended, type AppendOptions, maxAgeMs, Stream } from "./stream.ts";
import type { Subjects } from "./subjects.ts";

/** Nothing stays longer that is not written again; twice the longest history where that is longer. */
const MIN_AGE_MS = 60 * 60 * 1000;
/** A publication that was sent again is recognized by its id that long. */
const DUPLICATE_WINDOW_MS = 20_000;
const SEQUENCE_NOT_FOUND = 10_043;
/** Beyond any message: asking for it only shows that the leader answers, and has seen what was sent before. */
const NO_SEQUENCE = 2 ** 52;
const DEFAULT_PAYLOAD_BYTES = 1024 * 1024;
/** Messages that are removed at the same time. */
const MAX_REMOVING = 16;

export class StreamStore implements LastValueStore {
  readonly #clock: Clock;
  readonly #settings: NatsSettings;
  readonly #connection: Connection;
  readonly #stream: Stream;
  /** When the stream was made: another where everything was lost. */
  instance: string | undefined;
  #maxAgeMs = MIN_AGE_MS;
  /** From this process's monotonic clock to the server's wall clock. */
  #offsetMs: number;
  #flush: Promise<void> | undefined;
  readonly #unneeded: number[] = [];
  #removing = 0;

  constructor(clock: Clock, settings: NatsSettings, subjects: Subjects, connection: Connection) {
    this.#clock = clock;
    this.#settings = settings;
    this.#connection = connection;
    const config = {
      subjects: [subjects.stored],
      duplicate_window: DUPLICATE_WINDOW_MS * 1e6,
      republish: subjects.republish,
    };
    this.#stream = new Stream(subjects.stream, config, settings.replicas);
    this.#offsetMs = clock.wallMs() - clock.monotonicMs();
  }

  /** Unix milliseconds, by the clock of the server that keeps the stream. */
  get nowMs(): number {
    return this.#clock.monotonicMs() + this.#offsetMs;
  }

  get maxAgeMs(): number {
    return this.#maxAgeMs;
  }

  /** Of one message. */
  get maxPayloadBytes(): number {
    return this.#connection.current?.nats.info?.max_payload ?? DEFAULT_PAYLOAD_BYTES;
  }

  get isOpen(): boolean {
    return this.#connection.current !== undefined;
  }

  /** Makes sure that the stream is there; says whether it is another than before. */
  async ensure(session: NatsSession): Promise<"same" | "new"> {
    const info = (await this.#stream.find(session)) ?? (await this.#stream.create(session, this.#maxAgeMs));
    const before = this.instance;
    this.instance = info.created;
    const ageMs = maxAgeMs(info);
    if (ageMs > 0 && ageMs < this.#maxAgeMs) await this.#stream.setMaxAge(session, this.#maxAgeMs);
    else if (ageMs > 0) this.#maxAgeMs = ageMs;
    return before === undefined || before === info.created ? "same" : "new";
  }

  /** Messages stay at least twice that long. */
  async keepFor(ttlMs: number): Promise<void> {
    if (2 * ttlMs <= this.#maxAgeMs) return;
    await this.#stream.setMaxAge(currentSession(this.#connection), 2 * ttlMs);
    this.#maxAgeMs = 2 * ttlMs;
  }

  /** The message's sequence in the stream. Throws WriteConflict; any other error leaves open whether it was written. */
  async append(subject: string, text: string, options: AppendOptions = {}): Promise<number> {
    return (await this.appendOnce(subject, text, options)).seq;
  }

  /** The same; says whether a message with this id was written before. */
  async appendOnce(subject: string, text: string, options: AppendOptions): Promise<Appended> {
    return await this.#stream.append(currentSession(this.#connection), subject, text, options);
  }

  /** Whether a message with this id was written within a while. Writes nothing. */
  async isWritten(subject: string, id: string): Promise<boolean> {
    try {
      return (await this.appendOnce(subject, "", { id, expect: NO_SEQUENCE })).isRepeated;
    } catch (error) {
      if (error instanceof WriteConflict) return false;
      throw error;
    }
  }

  async last(subject: string): Promise<StoredMessage | undefined> {
    return await this.#stream.last(currentSession(this.#connection), subject);
  }

  /**
   * The last message of each subject that fits the pattern, in the order of the stream, up to a marker that is written for this.
   * How many there are is not asked, because nats-server 2.9 counts those that were removed meanwhile.
   */
  async all(
    pattern: string,
    marker: { readonly subject: string; readonly text: string },
    session: NatsSession,
  ): Promise<readonly StoredMessage[]> {
    const { seq: end } = await session.jetstream.publish(marker.subject, marker.text);
    const timeoutMs = this.#settings.requestTimeoutMs;
    const found = await readStream(session, { stream: this.#stream.name, pattern, end, timeoutMs });
    await this.#remove(end, session);
    return found;
  }

  /** Removes what the subjects that fit the pattern have, or had before `seq`: takes time in proportion to the stream's subjects. */
  async purge(filter: string, seq?: number): Promise<void> {
    const { streams } = currentSession(this.#connection);
    await streams.purge(this.#stream.name, { filter, ...(seq !== undefined && { seq }) });
  }

  /** Removes the message with this sequence soon; what was written to its subject since stays. */
  removeLater(seq: number): void {
    this.#unneeded.push(seq);
    if (this.#removing < MAX_REMOVING) void this.#removeUnneeded();
  }

  /** Resolves when the leader of the stream has seen what this connection sent before, subscriptions included. */
  flushed(): Promise<void> {
    // One request for everything that is subscribed to in this tick.
    this.#flush ??= Promise.resolve().then(() => {
      this.#flush = undefined;
      return this.flush(currentSession(this.#connection));
    });
    return this.#flush;
  }

  async flush({ streams }: NatsSession): Promise<void> {
    await streams.getMessage(this.#stream.name, { seq: NO_SEQUENCE });
  }

  /** Takes the server's time from one of its messages. */
  async readServerTime(subject: string, session: NatsSession): Promise<void> {
    const beforeMs = this.#clock.monotonicMs();
    const { seq } = await session.jetstream.publish(subject, "{}");
    const afterMs = this.#clock.monotonicMs();
    const found = await session.streams.getMessage(this.#stream.name, { seq });
    const atMs = found ? Date.parse(found.timestamp) : Number.NaN;
    if (Number.isFinite(atMs)) this.#offsetMs = atMs - (beforeMs + afterMs) / 2;
    await this.#remove(seq, session);
  }

  async removeIfEmpty(): Promise<void> {
    await this.#stream.removeIfEmpty(currentSession(this.#connection));
  }

  async #removeUnneeded(): Promise<void> {
    this.#removing++;
    for (let seq = this.#unneeded.shift(); seq !== undefined; seq = this.#unneeded.shift()) {
      try {
        await this.#remove(seq, currentSession(this.#connection));
      } catch {
        // It is gone, or its age removes it.
      }
    }
    this.#removing--;
  }

  /** A node that wrote to the same subject a moment later has removed it already. */
  async #remove(seq: number, { streams }: NatsSession): Promise<void> {
    try {
      await streams.deleteMessage(this.#stream.name, seq, false);
    } catch (error) {
      if (jetStreamCode(error) !== SEQUENCE_NOT_FOUND) throw error;
    }
  }
}
