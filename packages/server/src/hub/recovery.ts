/**
 * What a subscriber gets of the channel's past: the last event of a cache channel, or all that it missed since it was here,
 * and nothing twice or too little while that is read. What cannot be proved complete is said to be lost.
 */

import type { App } from "../domain/app.ts";
import type { Channel } from "../domain/channel.ts";
import { CommandError } from "../domain/error.ts";
import type { EventPublication, Position, Resume, Rewind } from "../domain/message.ts";
import type { Broker, HistoryPage, HistoryQuery, StoredEvent } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import { isUpTo } from "./sequence.ts";

export interface CatchUp {
  /** To be sent before anything new, oldest first. */
  readonly events: readonly EventPublication[];
  /** Where the client stands before those; only in channels with history. */
  readonly position?: Position;
  /** Whether they are all that it missed; only where it asked. */
  readonly recovered?: boolean;
  /** How many they are, and whether that is all that `rewind` asked for; only where it was that. */
  readonly rewound?: number;
  readonly complete?: boolean;
  /** A cache channel that has no event to give. */
  readonly isMissing?: true;
}

export interface Reading {
  readonly broker: Pick<Broker, "history">;
  readonly app: App;
  readonly audience: Audience;
  readonly resume: Resume | undefined;
  /** What it gets where it cannot resume, or does not ask to. */
  readonly rewind: Rewind | undefined;
  /** Ids of the client's earlier connections: what they published, or were excluded from, it does not get here either. */
  readonly previousIds: readonly string[] | undefined;
  /** Most bytes that the client may get. */
  readonly bytes: number;
  /** How many bytes the event takes. */
  weigh(event: EventPublication): number;
}

/** What was read, and up to where. */
interface Read {
  readonly upTo: Position;
  readonly from: Position;
  readonly events: readonly EventPublication[];
  readonly recovered: boolean | undefined;
  /** They are what `rewind` asked for, and whether that is all of it. */
  readonly rewound?: { readonly complete: boolean };
}

const NO_CATCH_UP: CatchUp = { events: [] };
const LOST_CATCH_UP: CatchUp = { events: [], recovered: false };
/** So often it is read again when publications come in faster than they can be read. */
const ATTEMPTS = 5;
/** Publications that are read at a time. */
const PAGE = 200;
/** Most events that a subscriber without a position gets. */
const MOST_KEPT = 1_000;

/** What a subscriber gets where nothing is kept of the channel; undefined where something is, which has to be read. */
export function catchUpWithoutPast({ traits, policy }: Channel, resume: Resume | undefined): CatchUp | undefined {
  if (traits.cache || policy.history) return undefined;
  return resume ? LOST_CATCH_UP : NO_CATCH_UP;
}

type Subscribe = (past: CatchUp, upTo: Position | undefined) => void;

/** Runs `subscribe` with the channel's past up to the moment, and where that ends. Throws what the engine throws. */
export async function withCatchUp(asked: Reading, subscribe: Subscribe): Promise<void> {
  const reading = { ...asked, weigh: (event: EventPublication) => (isOwn(asked, event) ? 0 : asked.weigh(event)) };
  const { audience } = reading;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const shared = SharedHistoryRead.of(reading.broker, audience, nameOf(reading));
    try {
      const read = withReceived(await readHistory({ ...reading, broker: shared }), shared.received);
      const isCurrent = shared.isCurrent && !(read && audience.sequence?.isPast(read.upTo));
      if (read && isCurrent) return subscribe(catchUpOf(reading, read), read.upTo);
    } finally {
      shared.end();
    }
  }
  throw new CommandError("engine_unavailable", "The channel's past changes faster than it can be read.");
}

function readHistory(reading: Reading): Promise<Read> {
  const { resume, rewind, audience } = reading;
  if (!audience.channel.policy.history) return readLast(reading);
  if (resume === "kept") return readKept(reading);
  if (resume) return readMissed(reading, resume);
  return rewind ? readRewound(reading, rewind) : readLast(reading);
}

/** Only where the channel stands, and what a cache channel keeps. */
async function readLast({ broker, app, audience, resume }: Reading): Promise<Read> {
  const { kept, position } = await lastOf(broker, app.id, audience.channel);
  const recovered = resume === undefined ? undefined : false;
  return { upTo: position, from: position, events: kept ? [kept.publication] : [], recovered };
}

async function readMissed(reading: Reading, since: Position): Promise<Read> {
  const { broker, app, audience } = reading;
  const events: EventPublication[] = [];
  let bytes = 0;
  let upTo = since;
  for (;;) {
    const query = { after: upTo, limit: PAGE, direction: "oldest" } as const;
    const page = await broker.history(app.id, audience.channel.name, query);
    if (!page.complete) return readInstead(reading, since);
    for (const { publication } of page.events) {
      bytes += publication.erased ? 0 : reading.weigh(publication);
      if (bytes > reading.bytes || !follows(publication.position, upTo)) return readInstead(reading, since);
      if (!publication.erased) events.push(publication);
      upTo = publication.position;
    }
    if (upTo.offset >= page.position.offset) return { upTo, from: since, events, recovered: true };
    if (page.events.length === 0) return readInstead(reading, since);
  }
}

/** What was missed is not there any more: then it is as for a new subscriber, less what the client is known to have. */
async function readInstead(reading: Reading, since: Position): Promise<Read> {
  if (!reading.rewind) return readLast(reading);
  return { ...(await readRewound(reading, reading.rewind, since)), recovered: false };
}

/** The latest that are kept and fit; complete where they go back to the first. */
async function readKept(reading: Reading): Promise<Read> {
  const limit = Math.min(reading.audience.channel.policy.history?.size ?? 1, MOST_KEPT);
  const { page: _, ...read } = await readLatest(reading, { limit, direction: "newest" });
  return { ...read, recovered: read.from.offset === 0 };
}

async function readRewound(reading: Reading, rewind: Rewind, since?: Position): Promise<Read> {
  const isByCount = "count" in rewind;
  const limit = isByCount ? Math.min(rewind.count, MOST_KEPT) : MOST_KEPT;
  const within = isByCount ? {} : { withinMs: rewind.ms };
  const { page, ...read } = await readLatest(reading, { ...within, limit, direction: "newest" }, since);
  const isAll = read.events.length === page.events.filter(({ publication }) => !publication.erased).length;
  const isEnough = isByCount ? read.events.length >= rewind.count : isAll && page.complete && !page.hasMore;
  return { ...read, recovered: undefined, rewound: { complete: isEnough || read.from.offset === 0 } };
}

/** The latest of these that fit, back to where one is missing, or to what the client has. */
async function readLatest(
  { broker, app, audience, bytes, weigh }: Reading,
  query: HistoryQuery,
  since?: Position,
): Promise<Omit<Read, "recovered"> & { readonly page: HistoryPage }> {
  const page = await broker.history(app.id, audience.channel.name, query);
  const events: EventPublication[] = [];
  let left = bytes;
  let from = page.position;
  for (const { publication } of page.events.toReversed()) {
    const { position } = publication;
    left -= publication.erased ? 0 : weigh(publication);
    if (left < 0 || isUpTo(position, since) || !position || !isUpTo(position, from) || position.offset !== from.offset)
      break;
    if (!publication.erased) events.unshift(publication);
    from = { epoch: position.epoch, offset: position.offset - 1 };
  }
  return { upTo: page.position, from, events, page };
}

/** With what came in meanwhile; undefined where the two do not meet. */
function withReceived(read: Read, received: readonly EventPublication[] | undefined): Read | undefined {
  if (!received) return undefined;
  const events = [...read.events];
  let { upTo } = read;
  for (const publication of received) {
    if (isUpTo(publication.position, upTo)) continue;
    if (!follows(publication.position, upTo)) return undefined;
    events.push(publication);
    upTo = publication.position;
  }
  return { ...read, upTo, events };
}

function catchUpOf(reading: Reading, { upTo, from, events, recovered, rewound }: Read): CatchUp {
  const { traits, policy } = reading.audience.channel;
  const asked = reading.resume === undefined ? {} : { recovered: recovered ?? false };
  const isResumed = recovered === true || rewound || (reading.resume === "kept" && policy.history !== undefined);
  if (isResumed) {
    const others = events.filter((event) => !event.erased && !isOwn(reading, event));
    const fits = others.reduce((sum, event) => sum + reading.weigh(event), 0) <= reading.bytes;
    const rewinding = rewound && { rewound: others.length, ...rewound };
    if (!fits)
      return { events: [], position: upTo, ...(rewinding ? { rewound: 0, complete: false } : { recovered: false }) };
    // Where nothing follows, the client has all up to the end: what is its own must not hold its position back.
    return { events: others, position: others.length === 0 ? upTo : from, ...asked, ...rewinding };
  }
  const place = policy.history && { position: upTo };
  if (!traits.cache) return { events: [], ...place, ...asked };
  const last = events.findLast(isFromBackend);
  if (!last) return { events: [], ...place, ...asked, isMissing: true };
  // Without its position: what clients said since may lie between the two.
  return { events: [withoutPosition(last)], ...place, ...asked };
}

/** The client published it, or was excluded from it, by one of the connections that it had before. */
export function isOwn({ previousIds }: Pick<Reading, "previousIds">, { from, except }: EventPublication): boolean {
  if (!previousIds) return false;
  return previousIds.some((id) => from?.connection === id || except?.includes(id) === true);
}

function follows(position: Position | undefined, before: Position): position is Position {
  return position?.epoch === before.epoch && position.offset === before.offset + 1;
}

/** The last event that a back end sent, where it is kept, and where the channel stood when it was the last. */
export interface Last {
  readonly kept: StoredEvent | undefined;
  readonly position: Position;
}

/** In a channel with history the last event may lie behind what clients said since. */
export async function lastOf(broker: Pick<Broker, "history">, app: string, { name, policy }: Channel): Promise<Last> {
  const { events: kept, position } = await broker.history(app, name, { limit: 1, direction: "newest" });
  const last = kept.findLast(({ publication }) => !publication.erased);
  if (!last || isFromBackend(last.publication) || !policy.history) return { kept: last, position };
  const all = await broker.history(app, name, { limit: policy.history.size, direction: "newest" });
  return { kept: all.events.findLast(({ publication }) => isFromBackend(publication)), position: all.position };
}

/** Where only the last event is kept no client can resume from a position, so none gets one. */
export function withoutPosition({ position: _, ...publication }: EventPublication): EventPublication {
  return publication;
}

function isFromBackend({ from, erased }: EventPublication): boolean {
  return from === undefined && !erased;
}

// ---- one reading for several subscribers

/**
 * One reading of a channel's past for several subscribers: those who ask the same while it is under way get the same answer,
 * and the channel's events from when the reading began.
 */
/** Most that are collected while history is read; where more come in, it is read again. */
const MAX_RECEIVED = 1_000;

/** Those under way that a subscriber may still share, by what they ask. */
type Open = Map<string, SharedHistoryRead>;
const OPEN = new WeakMap<Audience, Open>();

class SharedHistoryRead {
  /** Numbered publications that came in since it began. */
  readonly #received: EventPublication[] = [];
  /** Pages by what was asked for. None is older than the reading, so what came after any of them was received. */
  readonly #pages = new Map<string, Promise<HistoryPage>>();
  readonly #broker: Pick<Broker, "history">;
  readonly #audience: Audience;
  readonly #open: Open;
  readonly #name: string;
  readonly #interruptions: number;
  #readers = 0;

  /** One that others began just now and that asks the same, or a new one. To be left with `end`. */
  static of(broker: Pick<Broker, "history">, audience: Audience, name: string): SharedHistoryRead {
    const open = OPEN.get(audience) ?? new Map();
    OPEN.set(audience, open);
    const known = open.get(name);
    const read = known?.isCurrent && known.received ? known : new SharedHistoryRead(broker, audience, open, name);
    if (read.#readers++ === 0) audience.listeners.add(read.#listen);
    return read;
  }

  private constructor(broker: Pick<Broker, "history">, audience: Audience, open: Open, name: string) {
    this.#broker = broker;
    this.#audience = audience;
    this.#open = open;
    this.#name = name;
    this.#interruptions = audience.interruptions;
    open.set(name, this);
  }

  /** Everything that came in since it began; undefined where that is too much. */
  get received(): readonly EventPublication[] | undefined {
    return this.#received.length > MAX_RECEIVED ? undefined : this.#received;
  }

  /** Nothing may have been lost since it began. */
  get isCurrent(): boolean {
    return this.#audience.interruptions === this.#interruptions;
  }

  /** As the broker's, and the broker is asked once. */
  async history(app: string, channel: string, query: HistoryQuery): Promise<HistoryPage> {
    const asked = JSON.stringify(query);
    const page = this.#pages.get(asked) ?? this.#ask(app, channel, query);
    this.#pages.set(asked, page);
    try {
      return await page;
    } finally {
      // The next subscriber begins anew, so that no reading lasts as long as more keep coming.
      this.#close();
    }
  }

  /** The reader has its answer. */
  end(): void {
    if (--this.#readers > 0) return;
    this.#close();
    this.#audience.listeners.delete(this.#listen);
  }

  async #ask(...query: Parameters<Broker["history"]>): Promise<HistoryPage> {
    return await this.#broker.history(...query);
  }

  #close(): void {
    if (this.#open.get(this.#name) === this) this.#open.delete(this.#name);
  }

  readonly #listen = (publication: EventPublication): void => {
    if (publication.position && this.#received.length <= MAX_RECEIVED) this.#received.push(publication);
  };
}

function nameOf({ resume, rewind }: Reading): string {
  return JSON.stringify([resume, rewind]);
}
