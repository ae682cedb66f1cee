/** Carries publications through NATS: the stream gives each channel one order, and tells it to all that are subscribed. */

import type { Msg, Subscription } from "@nats-io/transport-node";
import type { EventPublication, Position, Publication } from "../../domain/message.ts";
import { markSeen, type SeenNumbers, wasSeen } from "../../domain/message-id.ts";
import type { Broker, HistoryPage, HistoryPolicy, IdempotencyKey, StoredEvent } from "../../domain/ports.ts";
import { decodeParcel, lastOffset, type Numbering, type Parcel } from "./codec.ts";
import { unavailable } from "./fault.ts";
import type { Feed } from "./feed.ts";
import type { Head, Heads } from "./heads.ts";
import type { Wire } from "./link.ts";
import { type Outbox, slotOf } from "./outbox.ts";
import type { Store } from "./store.ts";
import type { Subjects } from "./subjects.ts";

export interface Ear {
  receive(publication: Publication): void;
  missed(app: string, channel: string): void;
  /** Something that is no parcel arrived. */
  garbage(error: unknown): void;
}

interface Entry {
  readonly app: string;
  readonly channel: string;
  readonly place: string;
  subscription: Subscription | undefined;
  /** Sequence of the last that was only carried; the next one names it. */
  lastPassing: number;
  /** The last that was numbered, and where it ended. */
  lastHead: { readonly seq: number; readonly offset: number } | undefined;
  /** What was heard of each sender, so that nothing that was sent again is heard twice. */
  readonly heard: Map<string, SeenNumbers>;
  /** What was heard of a stream that is lost: who got no answer sends it again, and in the next stream it has another number. */
  former: ReadonlyMap<string, SeenNumbers>;
  /** Where the head was heard or written last, as this process counts time; 0 where there is none. */
  numberedAtMs: number;
}

/** Archived parcels that are asked for at a time. */
const READ_AT_A_TIME = 32;

export class NatsBroker implements Broker {
  readonly #subjects: Subjects;
  readonly #store: Store;
  readonly #heads: Heads;
  readonly #outbox: Outbox;
  readonly #feed: Feed;
  readonly #ear: Ear;
  readonly #waitMs: number;
  readonly #entries = new Map<string, Entry>();
  /** The latest that was greeted: from then on whatever is subscribed to is heard over it, even before it is up. */
  #wire: Wire | undefined;
  /** The stream that it was greeted for. */
  #instance: string | undefined;

  constructor(
    parts: {
      readonly subjects: Subjects;
      readonly store: Store;
      readonly heads: Heads;
      readonly outbox: Outbox;
      readonly feed: Feed;
      readonly waitMs: number;
    },
    ear: Ear,
  ) {
    this.#subjects = parts.subjects;
    this.#store = parts.store;
    this.#heads = parts.heads;
    this.#outbox = parts.outbox;
    this.#feed = parts.feed;
    this.#waitMs = parts.waitMs;
    this.#ear = ear;
  }

  async subscribe(app: string, channel: string): Promise<void> {
    const place = this.#subjects.place(app, channel);
    if (!this.#entries.has(place)) {
      const entry: Entry = {
        app,
        channel,
        place,
        subscription: undefined,
        lastPassing: 0,
        lastHead: undefined,
        heard: new Map(),
        former: new Map(),
        numberedAtMs: 0,
      };
      this.#entries.set(place, entry);
      if (this.#wire && !this.#wire.nats.isClosed()) this.#listen(this.#wire, entry);
    }
    try {
      await this.#store.link?.up(this.#waitMs);
      await this.#store.arrived();
    } catch {
      throw unavailable();
    }
  }

  unsubscribe(app: string, channel: string): void {
    const place = this.#subjects.place(app, channel);
    const entry = this.#entries.get(place);
    this.#entries.delete(place);
    entry?.subscription?.unsubscribe();
  }

  isSubscribed(app: string, channel: string): boolean {
    return this.#entries.has(this.#subjects.place(app, channel));
  }

  publish(publication: Publication, keep?: HistoryPolicy): Promise<Position | undefined> {
    const place = this.#subjects.place(publication.app, publication.channel);
    return this.#outbox.post(place, publication, publication.type === "event" ? keep : undefined);
  }

  publishOnce(
    publication: EventPublication,
    once: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Promise<Position | "repeated" | undefined> {
    return this.#outbox.post(this.#subjects.place(publication.app, publication.channel), publication, keep, once);
  }

  async history(app: string, channel: string, since: Position | undefined, limit: number): Promise<HistoryPage> {
    const place = this.#subjects.place(app, channel);
    try {
      let found = await this.#heads.read(place);
      const entry = this.#entries.get(place);
      if (!found && entry) {
        await this.#outbox.touch(place);
        found = await this.#heads.read(place);
      }
      if (!found) return { events: [], position: { epoch: "unwritten", offset: 0 }, complete: since === undefined };
      if (entry) entry.numberedAtMs ||= this.#store.nowMs;
      return await this.#page({ app, channel, place, ...found }, since, limit);
    } catch {
      throw unavailable();
    }
  }

  /** Subscribes to everything again. */
  greet(wire: Wire): void {
    this.#wire = wire;
    const { instance } = this.#store;
    const isNewStream = this.#instance !== undefined && this.#instance !== instance;
    this.#instance = instance;
    for (const entry of this.#entries.values()) {
      if (isNewStream) entry.former = new Map([...entry.heard].map(([sender, heard]) => [sender, { ...heard }]));
      entry.lastPassing = 0;
      entry.lastHead = undefined;
      this.#listen(wire, entry);
    }
  }

  /** Channels that somebody here is in and that are numbered go on counting, however long nobody publishes. */
  async touch(nowMs: number): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (entry.numberedAtMs === 0 || nowMs - entry.numberedAtMs < this.#store.maxAgeMs / 2) continue;
      entry.numberedAtMs = nowMs;
      await this.#outbox.touch(entry.place);
    }
  }

  close(): void {
    this.#entries.clear();
  }

  #listen({ nats }: Wire, entry: Entry): void {
    entry.subscription = nats.subscribe(this.#subjects.heard(entry.place), {
      callback: (error, message) => {
        if (error) return this.#ear.garbage(error);
        this.#feed.take(() => this.#hear(entry, message));
      },
    });
  }

  #hear(entry: Entry, message: Msg): void {
    const { app, channel, place } = entry;
    if (this.#entries.get(place) !== entry) return;
    try {
      const seq = Number(message.headers?.get("Nats-Sequence"));
      if (!seq) throw new Error("a message that is not of the stream");
      const parcel = decodeParcel(app, channel, message.string());
      const before = Number(message.headers?.get("Nats-Last-Sequence"));
      if (parcel.numbering) {
        if (parcel.numbering.size > 0) entry.numberedAtMs = this.#store.nowMs;
        this.#heads.heard(place, seq, message.string(), parcel);
        if (isBehindLost(entry, before, parcel.numbering)) this.#ear.missed(app, channel);
        entry.lastHead = { seq, offset: lastOffset(parcel) };
      } else {
        if (entry.lastPassing > 0 && before > 0 && before !== entry.lastPassing) this.#ear.missed(app, channel);
        entry.lastPassing = seq;
      }
      const isFirst = markSeen(entry.heard, parcel);
      const isRepeated = wasSeen(entry.former, parcel);
      for (const { publication } of parcel.items) {
        if (isFirst) this.#ear.receive(publication);
        else if (isRepeated && publication.type === "event" && publication.position)
          this.#ear.receive({ ...publication, repeated: true });
      }
    } catch (error) {
      this.#ear.garbage(error);
    }
  }

  async #page(from: Numbered, since: Position | undefined, limit: number): Promise<HistoryPage> {
    const { head } = from;
    const position = { epoch: head.epoch, offset: head.offset };
    const oldest = Math.max(0, head.offset - head.size);
    if (!since) {
      const kept = await this.#back(from, Math.max(oldest, head.offset - limit));
      return { events: kept.filter(isLive).slice(-limit), position, complete: true };
    }
    if (since.epoch === head.epoch && since.offset <= head.offset && since.offset >= oldest) {
      const all = await this.#back(from, since.offset);
      const page = all.slice(0, limit);
      if (all.length === head.offset - since.offset && page.every(isLive)) {
        return { events: page, position, complete: true };
      }
    }
    const kept = await this.#back(from, oldest);
    return { events: kept.filter(isLive).slice(0, limit), position, complete: false };
  }

  /** What is kept after the offset, back from the head as far as there is no hole; oldest first, expired or not. */
  async #back(from: Numbered, after: number): Promise<readonly StoredEvent[]> {
    const { head, place, app, channel } = from;
    const parcels = [from.parcel];
    let oldest = from.parcel.numbering;
    while (oldest && oldest.before > after && oldest.parcel > 1) {
      const before = oldest.parcel;
      const wanted = Math.min(READ_AT_A_TIME, oldest.before - after, before - 1);
      const found = await Promise.all(
        Array.from({ length: wanted }, (_, n) =>
          this.#store.last(this.#subjects.archive(place, slotOf(before - 1 - n, head.size))),
        ),
      );
      for (const stored of found) {
        const parcel = stored && decodeParcel(app, channel, stored.text);
        const numbering = parcel?.numbering;
        if (numbering?.epoch !== head.epoch || numbering.parcel !== (oldest?.parcel ?? 0) - 1) {
          oldest = undefined;
          break;
        }
        if (parcel) parcels.unshift(parcel);
        oldest = numbering;
      }
    }
    const former = this.#entries.get(place)?.former;
    return parcels
      .flatMap((parcel) => {
        const kept = keptOf(parcel, app, channel, this.#store.nowMs);
        return former && wasSeen(former, parcel) ? kept.map(repeated) : kept;
      })
      .filter(({ publication }) => (publication.position?.offset ?? 0) > after);
  }
}

interface Numbered {
  readonly app: string;
  readonly channel: string;
  readonly place: string;
  readonly head: Head;
  readonly parcel: Parcel;
}

function keptOf({ numbering, items }: Parcel, app: string, channel: string, nowMs: number): readonly StoredEvent[] {
  return items.flatMap(({ publication, ttlMs }): StoredEvent[] => {
    if (ttlMs === undefined || !numbering || publication.type !== "event") return [];
    const placed: EventPublication = { ...publication, app, channel };
    return [{ publication: placed, expiresInMs: Math.min(ttlMs, numbering.atMs + ttlMs - nowMs) }];
  });
}

function isLive({ expiresInMs }: StoredEvent): boolean {
  return expiresInMs > 0;
}

/** Whether something was lost before it that its number does not tell of, because it was not kept. */
function isBehindLost({ lastHead }: Entry, before: number, numbering: Numbering): boolean {
  return lastHead !== undefined && before > 0 && before !== lastHead.seq && numbering.before === lastHead.offset;
}

function repeated({ publication, expiresInMs }: StoredEvent): StoredEvent {
  return { publication: { ...publication, repeated: true }, expiresInMs };
}
