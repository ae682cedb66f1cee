/** What travels in a channel: batches of publications, as JSON. Checked when read: any NATS client could have sent it. */

import {
  asArray,
  asRecord,
  asString,
  erasedEvent,
  type IdempotencyKey,
  type Publication,
  parseCount,
  parseObject,
  parsePublication,
  publicationFields,
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
  /** By the server's clock; never before that of the batch before. */
  readonly atMs: number;
  /** Up to this offset the channel's history was purged. */
  readonly floor?: number | undefined;
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

/** A publication in its batch, without app and channel, which the subject says. */
export function encodeItem(publication: Publication, ttlMs?: number, once?: IdempotencyKey): string {
  return JSON.stringify({ p: publicationFields(publication), ttl: ttlMs, once: once && [once.key, once.ttlMs] });
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
  const { v, sender, number, position: placed, items: given } = parseObject(text);
  if (v !== VERSION) throw new Error("no batch of publications, or one of another version");
  const position = placed === undefined ? undefined : parseBatchPosition(asRecord(placed));
  let offset = position?.previousOffset ?? 0;
  const items = asArray(given).map((each): BatchItem => {
    const { p, ttl, once: key, erased } = asRecord(each);
    const once = key === undefined ? undefined : parseKey(asArray(key));
    const publication = parsePublication(asRecord(p), app, channel);
    if (ttl === undefined) return { publication, once };
    if (!position || publication.type !== "event") throw new Error("kept without a position");
    const place = { epoch: position.epoch, offset: ++offset };
    const kept = erased === true ? erasedEvent(app, channel, place) : { ...publication, position: place };
    return { publication: kept, ttlMs: parseCount(ttl), once };
  });
  return { sender: asString(sender), number: parseCount(number), position, items };
}

/** The text of the batch without what these publications say, and with another floor where one is given: their places stay. */
export function withoutEvents(text: string, isErased: (offset: number) => boolean, floor?: number): string {
  const fields = parseObject(text);
  const position = asRecord(fields.position);
  let offset = parseCount(position.previousOffset);
  const items = asArray(fields.items).map((each) => {
    const { ttl, once } = asRecord(each);
    if (ttl === undefined || !isErased(++offset)) return each;
    return { p: { type: "event", event: "", data: "" }, ttl, once, erased: true };
  });
  return JSON.stringify({ ...fields, position: { ...position, ...(floor !== undefined && { floor }) }, items });
}

/** The offset of the last publication in the batch. */
export function lastOffset({ position, items }: Batch): number {
  return (position?.previousOffset ?? 0) + items.filter(({ ttlMs }) => ttlMs !== undefined).length;
}

function parseKey([key, ttlMs]: readonly unknown[]): IdempotencyKey {
  return { key: asString(key), ttlMs: parseCount(ttlMs) };
}

function parseBatchPosition({
  epoch,
  batch,
  previousOffset,
  size,
  atMs,
  floor = 0,
}: Record<string, unknown>): BatchPosition {
  return {
    epoch: asString(epoch),
    batch: parseCount(batch),
    previousOffset: parseCount(previousOffset),
    size: parseCount(size),
    atMs: parseCount(atMs),
    floor: parseCount(floor),
  };
}
