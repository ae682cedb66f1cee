/** The broker of one process: what is published is received at once, and history lives as long as the process. */

import { randomUUID } from "node:crypto";
import type { EventPublication, Position, Publication, PurgeRange } from "../../domain/message.ts";
import type {
  Broker,
  Clock,
  HistoryPage,
  HistoryPolicy,
  HistoryQuery,
  IdempotencyKey,
  PurgeResult,
} from "../../domain/ports.ts";
import { channelKey } from "../shared/channels.ts";
import { purgeLog, readPage } from "../shared/kept-log.ts";
import { eventBytes, RetentionBudget } from "../shared/retention-budget.ts";
import { ChannelLog } from "./channel-log.ts";
import { ExpiringMap } from "./expiring-map.ts";

/** Up to where a log has to forget. */
interface RetainedEvent {
  readonly log: ChannelLog;
  readonly offset: number;
}

export class MemoryBroker implements Broker {
  readonly #clock: Clock;
  /** By app: channels that this node is subscribed to. */
  readonly #subscribed = new Map<string, Set<string>>();
  readonly #logs = new Map<string, ChannelLog>();
  /** Idempotency keys of publications. */
  readonly #published: ExpiringMap<true>;
  /** What is kept in channels that share a number of bytes. */
  readonly #budget = new RetentionBudget<RetainedEvent>();
  /** Where new numberings begin. Another as soon as one is forgotten, so that no channel has a position twice. */
  #epoch = randomUUID();
  #receive: (publication: Publication) => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#published = new ExpiringMap(clock);
  }

  start(receive: (publication: Publication) => void): void {
    this.#receive = receive;
  }

  subscribe(app: string, channel: string): void {
    const channels = this.#subscribed.get(app) ?? new Set();
    this.#subscribed.set(app, channels.add(channel));
  }

  unsubscribe(app: string, channel: string): void {
    const channels = this.#subscribed.get(app);
    if (channels?.delete(channel) && channels.size === 0) this.#subscribed.delete(app);
    const key = channelKey({ app, channel });
    if (this.#logs.get(key)?.offset === 0) this.#logs.delete(key);
  }

  publish(publication: Publication, keep?: HistoryPolicy): Position | undefined {
    if (!keep || publication.type !== "event") {
      this.#deliver(publication);
      return undefined;
    }
    const log = this.#log(publication.app, publication.channel);
    const nowMs = this.#clock.monotonicMs();
    log.push(publication, this.#clock.wallMs(), nowMs + keep.ttlMs);
    log.countsUntilMs = Math.max(log.countsUntilMs, nowMs + 2 * keep.ttlMs);
    log.drop(log.length - keep.size);
    const position = { epoch: log.epoch, offset: log.offset };
    const placed = { ...publication, position };
    if (keep.totalBytes !== undefined) this.#retain(log, placed, keep, keep.totalBytes);
    this.#deliver(placed);
    return position;
  }

  publishOnce(
    publication: EventPublication,
    { key, ttlMs }: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Position | "repeated" | undefined {
    return this.#published.setIfAbsent(key, true, ttlMs) ? this.publish(publication, keep) : "repeated";
  }

  expireKey(_app: string, _channel: string, key: string, ttlMs: number): void {
    this.#published.expire(key, ttlMs);
  }

  history(app: string, channel: string, query: HistoryQuery): HistoryPage {
    const log = this.#isSubscribed(app, channel) ? this.#log(app, channel) : this.#logOf(app, channel);
    return log ? readPage(log, query, this.#clock) : this.#unwritten(query);
  }

  purge(app: string, channel: string, range: PurgeRange): PurgeResult {
    const log = this.#logOf(app, channel);
    if (!log) return { purged: 0, position: { epoch: this.#epoch, offset: 0 } };
    return purgeLog(log, range, this.#clock.monotonicMs());
  }

  /** Drops what has expired, so that a million channels over time leave nothing behind. */
  prune(): void {
    this.#published.prune();
    const nowMs = this.#clock.monotonicMs();
    for (const [key, log] of this.#logs) {
      // From the front only: what has expired behind what has not goes with it.
      log.drop(log.expired(nowMs));
      if (log.length > 0 || log.countsUntilMs > nowMs || this.#isSubscribed(log.app, log.channel)) continue;
      this.#logs.delete(key);
      this.#epoch = randomUUID();
    }
  }

  /** How many idempotency keys it remembers. */
  get keyCount(): number {
    return this.#published.size;
  }

  /** How many channels have a history. */
  get historyCount(): number {
    return this.#logs.size;
  }

  close(): void {
    this.#receive = () => {};
    this.#subscribed.clear();
    this.#logs.clear();
    this.#published.clear();
    this.#budget.clear();
  }

  /** Of a channel that keeps nothing and counts nothing: its epoch is the one that it would begin in now. */
  #unwritten({ after, before }: HistoryQuery): HistoryPage {
    const bounds = [after, before].filter((bound) => bound !== undefined);
    const complete = bounds.every(({ epoch, offset }) => epoch === this.#epoch && offset === 0);
    return { events: [], position: { epoch: this.#epoch, offset: 0 }, complete, hasMore: false };
  }

  /** Counts what is kept among all that the app's channels keep together, and forgets the oldest where that is too much. */
  #retain(log: ChannelLog, event: EventPublication, { size, ttlMs }: HistoryPolicy, totalBytes: number): void {
    const nowMs = this.#clock.monotonicMs();
    const { app, channel } = log;
    const value = { log, offset: log.offset };
    const retained = { app, channel, bytes: eventBytes(event), untilMs: nowMs + ttlMs, value };
    for (const { log: full, offset } of this.#budget.add(retained, { size, totalBytes }, nowMs)) {
      const firstOffset = full.offset - full.length + 1;
      full.drop(offset - firstOffset + 1);
      // A numbering that nobody reads and that has nothing to give would be all that is left of it.
      if (full.length > 0 || full === log || this.#isSubscribed(full.app, full.channel)) continue;
      this.#logs.delete(channelKey(full));
      this.#epoch = randomUUID();
    }
  }

  #deliver(publication: Publication): void {
    if (this.#isSubscribed(publication.app, publication.channel)) this.#receive(publication);
  }

  #isSubscribed(app: string, channel: string): boolean {
    return this.#subscribed.get(app)?.has(channel) ?? false;
  }

  #logOf(app: string, channel: string): ChannelLog | undefined {
    return this.#logs.get(channelKey({ app, channel }));
  }

  #log(app: string, channel: string): ChannelLog {
    const key = channelKey({ app, channel });
    let log = this.#logs.get(key);
    if (!log) {
      log = new ChannelLog(app, channel, this.#epoch);
      this.#logs.set(key, log);
    }
    return log;
  }
}
