/**
 * The one stream in which everything stands that nodes share. Of each subject it keeps the last message, so whatever is written
 * costs the same however much there is; and it tells what is for everybody in one order.
 */

import type { StreamInfo } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Clock } from "../../domain/ports.ts";
import { apiCode, Conflict, Unsent } from "./fault.ts";
import type { Link, Wire } from "./link.ts";
import { readAll, type Stored } from "./reading.ts";
import type { NatsSettings } from "./settings.ts";
import {
  type Appended,
  type AppendOptions,
  append,
  LAST_OF_EACH,
  lastOf,
  STREAM_NOT_FOUND,
  withReplicas,
} from "./stream.ts";
import type { Subjects } from "./subjects.ts";

/** Nothing stays longer that nobody writes again; twice the longest history where that is longer. */
const LEAST_AGE_MS = 60 * 60 * 1000;
/** A publication that was sent again is known by its id that long. */
const KNOWN_FOR_MS = 20_000;
const SEQUENCE_NOT_FOUND = 10_043;
/** Beyond any message: asking for it only shows that the leader answers, and has seen what was sent before. */
const NO_SEQUENCE = 2 ** 52;
const USUAL_PAYLOAD_BYTES = 1024 * 1024;

export class Store {
  readonly #clock: Clock;
  readonly #settings: NatsSettings;
  readonly #subjects: Subjects;
  /** Set when the engine is put together. */
  link: Link | undefined;
  /** When the stream was made: another where all was lost. */
  instance: string | undefined;
  #maxAgeMs = LEAST_AGE_MS;
  /** From this process's monotonic clock to the server's wall clock. */
  #offsetMs: number;
  #arrival: Promise<void> | undefined;

  constructor(clock: Clock, settings: NatsSettings, subjects: Subjects) {
    this.#clock = clock;
    this.#settings = settings;
    this.#subjects = subjects;
    this.#offsetMs = clock.wallMs() - clock.monotonicMs();
  }

  /** Unix milliseconds, as the server that keeps the stream counts them. */
  get nowMs(): number {
    return this.#clock.monotonicMs() + this.#offsetMs;
  }

  get maxAgeMs(): number {
    return this.#maxAgeMs;
  }

  /** Of one message. */
  get maxPayloadBytes(): number {
    return this.#wire()?.nats.info?.max_payload ?? USUAL_PAYLOAD_BYTES;
  }

  get isOpen(): boolean {
    return this.#wire() !== undefined;
  }

  /** Makes sure that the stream is there; says whether it is another than before. */
  async ensure(wire: Wire): Promise<"same" | "new"> {
    const info = (await this.#find(wire)) ?? (await this.#make(wire));
    const before = this.instance;
    this.instance = info.created;
    const ageMs = info.config.max_age / 1e6;
    if (ageMs > 0 && ageMs < this.#maxAgeMs) await this.#setAge(wire, this.#maxAgeMs);
    else this.#maxAgeMs = ageMs > 0 ? ageMs : this.#maxAgeMs;
    return before === undefined || before === info.created ? "same" : "new";
  }

  /** Messages stay at least twice that long. */
  async keepFor(ttlMs: number): Promise<void> {
    if (2 * ttlMs <= this.#maxAgeMs) return;
    await this.#setAge(this.#wireNow(), 2 * ttlMs);
  }

  /** The message's sequence in the stream. Throws Conflict; anything else leaves open whether it was written. */
  async append(subject: string, text: string, options: AppendOptions = {}): Promise<number> {
    return (await this.appendOnce(subject, text, options)).seq;
  }

  /** The same; says whether one with this id was written before. */
  async appendOnce(subject: string, text: string, options: AppendOptions): Promise<Appended> {
    return await append(this.#wireNow(), subject, text, options);
  }

  /** Whether something with this id was written within a while. Writes nothing. */
  async isWritten(subject: string, id: string): Promise<boolean> {
    try {
      return (await this.appendOnce(subject, "", { id, expect: NO_SEQUENCE })).isRepeated;
    } catch (error) {
      if (error instanceof Conflict) return false;
      throw error;
    }
  }

  /** The subject's message, as the stream's leader has it. */
  async last(subject: string, wire = this.#wireNow()): Promise<Stored | undefined> {
    return await lastOf(wire, this.#subjects.stream, subject);
  }

  /**
   * All messages of subjects that fit the pattern, each subject's last, in the order of the stream: up to a mark that is written for this. How many
   * there are is not asked, because nats-server 2.9 counts those that were taken out meanwhile.
   */
  async all(pattern: string, mark: { readonly subject: string; readonly text: string }, wire: Wire) {
    const { seq: end } = await wire.stream.publish(mark.subject, mark.text);
    const { stream } = this.#subjects;
    const found = await readAll(wire, { stream, pattern, end, timeoutMs: this.#settings.requestTimeoutMs });
    await this.#takeAway(end, wire);
    return found;
  }

  /** Takes away all that the subjects that fit the pattern have, or had before `seq`: costs time in proportion to the subjects of the stream. */
  async purge(filter: string, seq?: number): Promise<void> {
    await this.#wireNow().streams.purge(this.#subjects.stream, { filter, ...(seq !== undefined && { seq }) });
  }

  /** Takes one message away, where it is still there. */
  async remove(seq: number): Promise<void> {
    await this.#takeAway(seq, this.#wireNow());
  }

  /** Resolves when the leader of the stream has seen all that this connection sent before, subscriptions too. */
  arrived(): Promise<void> {
    // One question for all that is subscribed to in this tick.
    this.#arrival ??= Promise.resolve().then(() => {
      this.#arrival = undefined;
      return this.reach(this.#wireNow());
    });
    return this.#arrival;
  }

  async reach({ streams }: Wire): Promise<void> {
    await streams.getMessage(this.#subjects.stream, { seq: NO_SEQUENCE });
  }

  /** Learns the server's time from one of its messages. */
  async askTime(subject: string, wire: Wire): Promise<void> {
    const beforeMs = this.#clock.monotonicMs();
    const { seq } = await wire.stream.publish(subject, "{}");
    const afterMs = this.#clock.monotonicMs();
    const found = await wire.streams.getMessage(this.#subjects.stream, { seq });
    const atMs = found ? Date.parse(found.timestamp) : Number.NaN;
    if (Number.isFinite(atMs)) this.#offsetMs = atMs - (beforeMs + afterMs) / 2;
    await this.#takeAway(seq, wire);
  }

  /** Takes the stream away where nothing is in it any more. */
  async removeIfEmpty(): Promise<void> {
    const { streams } = this.#wireNow();
    const { state } = await streams.info(this.#subjects.stream);
    if (state.messages === 0) await streams.delete(this.#subjects.stream);
  }

  /** A node that wrote to the same subject a moment later has taken it away already. */
  async #takeAway(seq: number, { streams }: Wire): Promise<void> {
    try {
      await streams.deleteMessage(this.#subjects.stream, seq, false);
    } catch (error) {
      if (apiCode(error) !== SEQUENCE_NOT_FOUND) throw error;
    }
  }

  #wire(): Wire | undefined {
    return this.link?.wire;
  }

  #wireNow(): Wire {
    const wire = this.#wire();
    if (!wire) throw new Unsent("not connected");
    return wire;
  }

  async #find({ streams }: Wire): Promise<StreamInfo | undefined> {
    try {
      return await streams.info(this.#subjects.stream);
    } catch (error) {
      if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
      throw error;
    }
  }

  #make(wire: Wire): Promise<StreamInfo> {
    return withReplicas(this.#settings, wire, (replicas) => this.#add(wire, replicas));
  }

  /** Another node may make the same one at the same time: it is the same then. */
  #add({ streams }: Wire, replicas: number): Promise<StreamInfo> {
    return streams.add({
      name: this.#subjects.stream,
      subjects: [this.#subjects.stored],
      ...LAST_OF_EACH,
      max_age: nanos(this.#maxAgeMs),
      duplicate_window: nanos(KNOWN_FOR_MS),
      republish: this.#subjects.told,
      num_replicas: replicas,
    });
  }

  async #setAge({ streams }: Wire, ageMs: number): Promise<void> {
    await streams.update(this.#subjects.stream, { max_age: nanos(ageMs) });
    this.#maxAgeMs = ageMs;
  }
}
