/** What travels in a channel: parcels of publications, as JSON, read with suspicion, because anybody may publish on a NATS. */

import type { EventPublication, Member, Publication, PublishTime } from "../../domain/message.ts";
import type { IdempotencyKey } from "../../domain/ports.ts";
import { asNumber, asText, list, memberFrom, record } from "../fields.ts";

/** Where numbered publications stand: all of a parcel come one after the other. */
export interface Numbering {
  readonly epoch: string;
  /** Grows by one with each parcel of the epoch. */
  readonly parcel: number;
  /** Of the last publication before this parcel. */
  readonly before: number;
  /** How many publications the channel keeps. */
  readonly size: number;
  /** By the server's clock. */
  readonly atMs: number;
}

export interface Item {
  readonly publication: Publication;
  /** How long it is kept; undefined where it is not. */
  readonly ttlMs?: number | undefined;
  readonly once?: IdempotencyKey | undefined;
}

export interface Parcel {
  /** Which parcel of which node it is: numbers grow per node. */
  readonly sender: string;
  readonly number: number;
  readonly numbering?: Numbering | undefined;
  readonly items: readonly Item[];
}

/** Grows when an old node could no longer read what a new one writes. */
const VERSION = 1;
/** Far above any parcel; what is longer is not parsed. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

/** A publication as it lies in a parcel, without app and channel, which the subject says. */
export function encodeItem(
  { app: _, channel: __, ...rest }: Publication,
  ttlMs?: number,
  once?: IdempotencyKey,
): string {
  return JSON.stringify({ p: rest, l: ttlMs, q: once && [once.key, once.ttlMs] });
}

export function encodeParcel(
  { sender, number, numbering }: Omit<Parcel, "items">,
  encodedItems: readonly string[],
): string {
  const head = JSON.stringify({ v: VERSION, s: sender, n: number, k: numbering });
  return `${head.slice(0, -1)},"i":[${encodedItems.join(",")}]}`;
}

/** Throws where it is none; unknown fields do not matter. */
export function decodeParcel(app: string, channel: string, text: string): Parcel {
  if (text.length > MOST_CHARACTERS) throw new Error(`a parcel of ${text.length} characters`);
  const { v, s, n, k, i } = record(JSON.parse(text));
  if (v !== VERSION) throw new Error("no parcel of publications, or one of a later version");
  const numbering = k === undefined ? undefined : numberingOf(record(k));
  let at = numbering?.before ?? 0;
  const items = list(i).map((each): Item => {
    const { p, l, q } = record(each);
    const once = q === undefined ? undefined : onceOf(list(q));
    const publication = publicationOf(record(p), app, channel);
    if (l === undefined) return { publication, once };
    if (!numbering || publication.type !== "event") throw new Error("kept without a number");
    const placed: EventPublication = { ...publication, position: { epoch: numbering.epoch, offset: ++at } };
    return { publication: placed, ttlMs: count(l), once };
  });
  return { sender: asText(s), number: count(n), numbering, items };
}

/** The offset of the last publication in the parcel. */
export function lastOffset({ numbering, items }: Parcel): number {
  return (numbering?.before ?? 0) + items.filter(({ ttlMs }) => ttlMs !== undefined).length;
}

export function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw new Error("not a count");
  return value;
}

export function memberOf(value: unknown): Member {
  const { id, info, infoText } = record(value);
  return memberFrom(id, info, infoText);
}

function onceOf([key, ttlMs]: readonly unknown[]): IdempotencyKey {
  return { key: asText(key), ttlMs: count(ttlMs) };
}

function numberingOf({ epoch, parcel, before, size, atMs }: Record<string, unknown>): Numbering {
  return {
    epoch: asText(epoch),
    parcel: count(parcel),
    before: count(before),
    size: count(size),
    atMs: count(atMs),
  };
}

function publicationOf(fields: Record<string, unknown>, app: string, channel: string): Publication {
  const about = { app, channel, ...(fields.except !== undefined && { except: list(fields.except).map(asText) }) };
  switch (fields.type) {
    case "event": {
      const { event, data, bare, from, trace, timed, key } = fields;
      return {
        type: "event",
        ...about,
        event: asText(event),
        data: asText(data),
        ...(bare === true && { bare: true }),
        ...(from !== undefined && { from: senderOf(record(from)) }),
        ...(trace !== undefined && { trace: asText(trace) }),
        ...(timed !== undefined && { timed: timedOf(record(timed)) }),
        ...(key !== undefined && { key: asText(key) }),
      };
    }
    case "joined":
      return { type: "joined", ...about, member: memberOf(fields.member) };
    case "left":
      return { type: "left", ...about, member: { id: asText(record(fields.member).id) } };
    case "count":
      return { type: "count", ...about, count: count(fields.count) };
    case "online":
    case "offline":
    case "terminate":
      return { type: fields.type, ...about, user: asText(fields.user) };
    default:
      throw new Error("a publication of no known type");
  }
}

function timedOf({ node, atMs }: Record<string, unknown>): PublishTime {
  return { node: asNumber(node), atMs: asNumber(atMs) };
}

function senderOf({ connection, user }: Record<string, unknown>) {
  return { connection: asText(connection), ...(user !== undefined && { user: asText(user) }) };
}
