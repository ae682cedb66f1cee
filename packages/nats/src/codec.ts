/** What travels in a channel: batches of publications, as JSON. Checked when read: any NATS client could have sent it. */

import {
  asArray,
  asNumber,
  asRecord,
  asString,
  type EventPublication,
  type IdempotencyKey,
  type Member,
  type Publication,
  type PublishTime,
  parseMember,
} from "fanfare/engine";

/** Where the publications of a batch stand: one after the other. */
export interface BatchPosition {
  readonly epoch: string;
  /** Grows by one with each batch of the epoch. */
  readonly batch: number;
  /** Of the last publication before this batch. */
  readonly previousOffset: number;
  /** How many publications the channel keeps. */
  readonly size: number;
  /** By the server's clock. */
  readonly atMs: number;
}

export interface BatchItem {
  readonly publication: Publication;
  /** How long it is kept; undefined where it is not. */
  readonly ttlMs?: number | undefined;
  readonly once?: IdempotencyKey | undefined;
}

export interface Batch {
  /** Which batch of which node it is: numbers grow per node. */
  readonly sender: string;
  readonly number: number;
  readonly position?: BatchPosition | undefined;
  readonly items: readonly BatchItem[];
}

/** Grows when an old node could no longer read what a new one writes. */
const VERSION = 2;
/** Far above any batch; what is longer is not parsed. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** A publication in its batch, without app and channel, which the subject says. */
export function encodeItem(
  { app: _, channel: __, ...rest }: Publication,
  ttlMs?: number,
  once?: IdempotencyKey,
): string {
  return JSON.stringify({ p: rest, ttl: ttlMs, once: once && [once.key, once.ttlMs] });
}

export function encodeBatch(
  { sender, number, position }: Omit<Batch, "items">,
  encodedItems: readonly string[],
): string {
  const head = JSON.stringify({ v: VERSION, sender, number, position });
  return `${head.slice(0, -1)},"items":[${encodedItems.join(",")}]}`;
}

/** Throws where it is none; unknown fields do not matter. */
export function decodeBatch(app: string, channel: string, text: string): Batch {
  if (text.length > MAX_CHARACTERS) throw new Error(`a batch of ${text.length} characters`);
  const { v, sender, number, position: placed, items: given } = asRecord(JSON.parse(text));
  if (v !== VERSION) throw new Error("no batch of publications, or one of another version");
  const position = placed === undefined ? undefined : positionOf(asRecord(placed));
  let offset = position?.previousOffset ?? 0;
  const items = asArray(given).map((each): BatchItem => {
    const { p, ttl, once: key } = asRecord(each);
    const once = key === undefined ? undefined : onceOf(asArray(key));
    const publication = publicationOf(asRecord(p), app, channel);
    if (ttl === undefined) return { publication, once };
    if (!position || publication.type !== "event") throw new Error("kept without a position");
    const kept: EventPublication = { ...publication, position: { epoch: position.epoch, offset: ++offset } };
    return { publication: kept, ttlMs: count(ttl), once };
  });
  return { sender: asString(sender), number: count(number), position, items };
}

/** The offset of the last publication in the batch. */
export function lastOffset({ position, items }: Batch): number {
  return (position?.previousOffset ?? 0) + items.filter(({ ttlMs }) => ttlMs !== undefined).length;
}

export function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw new Error("not a count");
  return value;
}

export function memberOf(value: unknown): Member {
  const { id, info, infoText } = asRecord(value);
  return parseMember(id, info, infoText);
}

function onceOf([key, ttlMs]: readonly unknown[]): IdempotencyKey {
  return { key: asString(key), ttlMs: count(ttlMs) };
}

function positionOf({ epoch, batch, previousOffset, size, atMs }: Record<string, unknown>): BatchPosition {
  return {
    epoch: asString(epoch),
    batch: count(batch),
    previousOffset: count(previousOffset),
    size: count(size),
    atMs: count(atMs),
  };
}

function publicationOf(fields: Record<string, unknown>, app: string, channel: string): Publication {
  const about = { app, channel, ...(fields.except !== undefined && { except: asArray(fields.except).map(asString) }) };
  switch (fields.type) {
    case "event": {
      const { event, data, bare, from, trace, timed, key } = fields;
      return {
        type: "event",
        ...about,
        event: asString(event),
        data: asString(data),
        ...(bare === true && { bare: true }),
        ...(from !== undefined && { from: senderOf(asRecord(from)) }),
        ...(trace !== undefined && { trace: asString(trace) }),
        ...(timed !== undefined && { timed: timedOf(asRecord(timed)) }),
        ...(key !== undefined && { key: asString(key) }),
      };
    }
    case "joined":
      return { type: "joined", ...about, member: memberOf(fields.member) };
    case "left":
      return { type: "left", ...about, member: { id: asString(asRecord(fields.member).id) } };
    case "count":
      return { type: "count", ...about, count: count(fields.count) };
    case "online":
    case "offline":
    case "terminate":
      return { type: fields.type, ...about, user: asString(fields.user) };
    default:
      throw new Error("a publication of no known type");
  }
}

function timedOf({ node, atMs }: Record<string, unknown>): PublishTime {
  return { node: asNumber(node), atMs: asNumber(atMs) };
}

function senderOf({ connection, user }: Record<string, unknown>) {
  return { connection: asString(connection), ...(user !== undefined && { user: asString(user) }) };
}
