/** Carries publications through NATS: the stream gives each channel one order, and republishes it to the nodes that are subscribed. */

import type { Msg, Subscription } from "@nats-io/transport-node";
import {
  type Broker,
  type EventPublication,
  eventBytes,
  type HistoryPage,
  type HistoryPolicy,
  type HistoryQuery,
  type IdempotencyKey,
  markSeen,
  type Position,
  type Publication,
  type PurgeRange,
  type PurgeResult,
  RetentionBudget,
  type SeenNumbers,
  wasSeen,
} from "fanfare/engine";
import { ArchivedBatches } from "./archived-batches.ts";
import type { ChannelHeads } from "./channel-heads.ts";
import { type BatchPosition, decodeBatch, lastOffset } from "./codec.ts";
import type { Connection, NatsSession } from "./connection.ts";
import { unavailable, WriteConflict } from "./errors.ts";
import { readHistory } from "./history.ts";
import type { InboundQueue } from "./inbound-queue.ts";
import { type PublishQueue, slotCount } from "./publish-queue.ts";
import { fixedRange, purgeHistory } from "./purge.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

/** Where others write all the time, the head is another each time. */
const PURGE_ATTEMPTS = 50;

export interface BrokerEvents {
  receive(publication: Publication): void;
  missed(app: string, channel: string): void;
  /** A message arrived that is no batch. */
  malformed(error: unknown): void;
}

interface BrokerOptions {
  readonly connection: Connection;
  readonly subjects: Subjects;
  readonly store: StreamStore;
  readonly heads: ChannelHeads;
  readonly queue: PublishQueue;
  readonly inbound: InboundQueue;
  readonly waitMs: number;
}

interface SubscribedChannel {
  readonly app: string;
  readonly channel: string;
  readonly channelKey: string;
  subscription: Subscription | undefined;
  /** Sequence of the last batch without positions; the next one names it. */
  lastTransient: number;
  /** The last batch with positions, and where it ended. */
  lastHead: { readonly seq: number; readonly offset: number } | undefined;
  /** What was received from each sender, so that nothing that was sent again is received twice. */
  readonly heard: Map<string, SeenNumbers>;
  /** What was received of a stream that is lost: a node without an answer sends it again, and in the next stream it has another number. */
  former: ReadonlyMap<string, SeenNumbers>;
  /** Where the head was received or written last, as this process counts time; 0 where there is none. */
  headAtMs: number;
}

export class NatsBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #events: BrokerEvents;
  readonly #channels = new Map<string, SubscribedChannel>();
  readonly #budget = new RetentionBudget<undefined>();
  /** The latest that was prepared: what is subscribed to from then on is received over it, even before it is up. */
  #session: NatsSession | undefined;
  /** The stream that it was prepared for. */
  #instance: string | undefined;

  constructor(options: BrokerOptions, events: BrokerEvents) {
    this.#options = options;
    this.#events = events;
  }

  async subscribe(app: string, channel: string): Promise<void> {
    const { subjects, connection, store, waitMs } = this.#options;
    const channelKey = subjects.channelKey(app, channel);
    if (!this.#channels.has(channelKey)) {
      const subscribed: SubscribedChannel = {
        ...{ app, channel, channelKey, subscription: undefined, lastTransient: 0, lastHead: undefined },
        ...{ heard: new Map(), former: new Map(), headAtMs: 0 },
      };
      this.#channels.set(channelKey, subscribed);
      if (this.#session && !this.#session.nats.isClosed()) this.#listen(this.#session, subscribed);
    }
    try {
      await connection.waitUntilUp(waitMs);
      await store.flushed();
    } catch {
      throw unavailable();
    }
  }

  unsubscribe(app: string, channel: string): void {
    const channelKey = this.#options.subjects.channelKey(app, channel);
    const subscribed = this.#channels.get(channelKey);
    this.#channels.delete(channelKey);
    subscribed?.subscription?.unsubscribe();
  }

  isSubscribed(app: string, channel: string): boolean {
    return this.#channels.has(this.#options.subjects.channelKey(app, channel));
  }

  publish(publication: Publication, keep?: HistoryPolicy): Promise<Position | undefined> {
    const { subjects, queue } = this.#options;
    const channelKey = subjects.channelKey(publication.app, publication.channel);
    const isKept = publication.type === "event" && keep !== undefined;
    return queue.publish(channelKey, publication, isKept ? this.#fitting(channelKey, publication, keep) : undefined);
  }

  publishOnce(
    publication: EventPublication,
    once: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Promise<Position | "repeated" | undefined> {
    const { subjects, queue } = this.#options;
    const channelKey = subjects.channelKey(publication.app, publication.channel);
    return queue.publish(channelKey, publication, keep && this.#fitting(channelKey, publication, keep), once);
  }

  /**
   * Where channels share a number of bytes: once this node has kept so many, it publishes with numbers and keeps nothing, until
   * the stream has forgotten enough. A message stays in the stream as long as any may, whatever its history says.
   */
  #fitting(channelKey: string, publication: EventPublication, keep: HistoryPolicy): HistoryPolicy {
    if (keep.totalBytes === undefined) return keep;
    const { nowMs, maxAgeMs } = this.#options.store;
    const bytes = eventBytes(publication);
    const untilMs = nowMs + Math.max(maxAgeMs, 2 * keep.ttlMs);
    const retained = { app: publication.app, channel: channelKey, bytes, untilMs, value: undefined };
    const limits = { size: slotCount(keep.size), totalBytes: keep.totalBytes };
    return this.#budget.addIfFits(retained, limits, nowMs) ? keep : { ...keep, size: 0 };
  }

  async history(app: string, channel: string, query: HistoryQuery): Promise<HistoryPage> {
    const { queue, store, subjects } = this.#options;
    const channelKey = subjects.channelKey(app, channel);
    try {
      const subscribed = this.#channels.get(channelKey);
      let batches = await this.#batchesOf(channelKey);
      if (!batches && subscribed) {
        await queue.writeHead(channelKey);
        batches = await this.#batchesOf(channelKey);
      }
      if (!batches) return unwritten(query);
      if (subscribed) subscribed.headAtMs ||= store.nowMs;
      const former = subscribed?.former ?? new Map();
      return await readHistory({ app, channel, batches, nowMs: store.nowMs, former }, query);
    } catch {
      throw unavailable();
    }
  }

  async purge(app: string, channel: string, range: PurgeRange): Promise<PurgeResult> {
    const { heads, store, subjects } = this.#options;
    const channelKey = subjects.channelKey(app, channel);
    /** Of the first look: what is published meanwhile stays. */
    let asked: PurgeRange | undefined = range.type === "event" ? range : undefined;
    try {
      for (let attempt = 0; ; attempt++) {
        const batches = await this.#batchesOf(channelKey);
        if (!batches) return { purged: 0, position: { epoch: "unwritten", offset: 0 } };
        try {
          const history = { app, channel, batches, nowMs: store.nowMs, former: new Map() };
          asked ??= await fixedRange(batches, range);
          return await purgeHistory({ store, history }, asked);
        } catch (error) {
          heads.invalidate(channelKey);
          if (!(error instanceof WriteConflict) || attempt >= PURGE_ATTEMPTS) throw error;
          await new Promise((resume) => setTimeout(resume, attempt));
        }
      }
    } catch {
      throw unavailable();
    }
  }

  async #batchesOf(channelKey: string): Promise<ArchivedBatches | undefined> {
    const { heads, store, subjects } = this.#options;
    const found = await heads.read(channelKey);
    return found && new ArchivedBatches({ store, subjects, channelKey, ...found });
  }

  /** Subscribes to everything again, on a new connection. */
  resubscribe(session: NatsSession): void {
    this.#session = session;
    const { instance } = this.#options.store;
    const isNewStream = this.#instance !== undefined && this.#instance !== instance;
    this.#instance = instance;
    for (const channel of this.#channels.values()) {
      if (isNewStream) channel.former = new Map([...channel.heard].map(([sender, heard]) => [sender, { ...heard }]));
      channel.lastTransient = 0;
      channel.lastHead = undefined;
      this.#listen(session, channel);
    }
  }

  /** A channel with subscribers here keeps its position, however long nothing is published. Call it now and then. */
  async refresh(): Promise<void> {
    const { queue, store } = this.#options;
    const nowMs = store.nowMs;
    for (const channel of this.#channels.values()) {
      if (channel.headAtMs === 0 || nowMs - channel.headAtMs < store.maxAgeMs / 2) continue;
      channel.headAtMs = nowMs;
      await queue.writeHead(channel.channelKey);
    }
  }

  close(): void {
    this.#channels.clear();
  }

  #listen({ nats }: NatsSession, channel: SubscribedChannel): void {
    channel.subscription = nats.subscribe(this.#options.subjects.channelRepublished(channel.channelKey), {
      callback: (error, message) => {
        if (error) return this.#events.malformed(error);
        this.#options.inbound.push(() => this.#receive(channel, message));
      },
    });
  }

  #receive(subscribed: SubscribedChannel, message: Msg): void {
    const { app, channel, channelKey } = subscribed;
    const { heads, store } = this.#options;
    if (this.#channels.get(channelKey) !== subscribed) return;
    try {
      const seq = Number(message.headers?.get("Nats-Sequence"));
      if (!seq) throw new Error("a message that is not of the stream");
      const text = message.string();
      const batch = decodeBatch(app, channel, text);
      const before = Number(message.headers?.get("Nats-Last-Sequence"));
      const { position } = batch;
      if (position) {
        if (position.size > 0) subscribed.headAtMs = store.nowMs;
        heads.observe(channelKey, seq, text, batch);
        if (hasLostUnkept(subscribed, before, position)) this.#events.missed(app, channel);
        subscribed.lastHead = { seq, offset: lastOffset(batch) };
      } else {
        const { lastTransient } = subscribed;
        if (lastTransient > 0 && before > 0 && before !== lastTransient) this.#events.missed(app, channel);
        subscribed.lastTransient = seq;
      }
      const isFirst = markSeen(subscribed.heard, batch);
      const isRepeated = wasSeen(subscribed.former, batch);
      for (const { publication } of batch.items) {
        if (isFirst) this.#events.receive(publication);
        else if (isRepeated && publication.type === "event" && publication.position)
          this.#events.receive({ ...publication, repeated: true });
      }
    } catch (error) {
      this.#events.malformed(error);
    }
  }
}

/** Of a channel that keeps nothing and counts nothing. */
function unwritten({ after, before }: HistoryQuery): HistoryPage {
  const complete = after === undefined && before === undefined;
  return { events: [], position: { epoch: "unwritten", offset: 0 }, complete, hasMore: false };
}

/** Whether something was lost before it that its position does not show, because it was not kept. */
function hasLostUnkept({ lastHead }: SubscribedChannel, before: number, position: BatchPosition): boolean {
  return lastHead !== undefined && before > 0 && before !== lastHead.seq && position.previousOffset === lastHead.offset;
}
