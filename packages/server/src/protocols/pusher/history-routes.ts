/** The calls of the HTTP API about what was published in a channel: reading it page by page, and having it forgotten. */

import { CommandError } from "../../domain/error.ts";
import type { Position, PurgeRange } from "../../domain/message.ts";
import type { HistoryQuery, PurgeResult, StoredEvent } from "../../domain/ports.ts";
import { HttpError } from "../../http/error-response.ts";
import { MOST_EVENTS, PAGE_BYTES, readEvents } from "../../hub/histories.ts";
import { checkChannelName, utf8Bytes } from "../../hub/limits.ts";
import type { ApiCall } from "./request-body.ts";
import { json } from "./responses.ts";

const FEW_EVENTS = 100;

/** Oldest first in either direction, or with a limit of 0 the position alone. */
export async function showHistory(call: ApiCall, channel = ""): Promise<Response> {
  checkChannelName(call.app, channel);
  const { traits, policy } = call.hub.channelOf(call.app, channel);
  const query = queryOf(call.query);
  const weigh = ({ data }: { data: string }) => utf8Bytes(data);
  const { events, position, complete, next } = await readEvents(call.hub, call.app, channel, query, {
    bytes: PAGE_BYTES,
    weigh,
  });
  for (const bound of ["after", "before"] as const)
    if (call.query.has(bound) && query[bound]?.epoch !== position.epoch) throw epochGone(bound, position);
  const cached = traits.cache ? { size: 1, ttl: policy.cacheTtlS } : null;
  const keeps = policy.history ? { size: policy.history.size, ttl: policy.history.ttlS } : cached;
  return json({ events: events.map(entryOf), next: next ? cursorOf(next) : null, position, complete, keeps });
}

/** All of it, what came before a position or a time, or what is named by the path. */
export async function purgeHistory(call: ApiCall, channel = "", offset?: string): Promise<Response> {
  checkChannelName(call.app, channel);
  refuseOthers(call.query, offset === undefined ? ["before", "to_ms"] : ["epoch"]);
  const range = offset === undefined ? rangeOf(call.query) : await eventOf(call, channel, offset);
  const result = await call.hub.histories.purge(call.app, channel, range);
  if ("position" in range && range.position.epoch !== result.position.epoch)
    throw epochGone("position", result.position);
  return json(result satisfies PurgeResult);
}

function entryOf({ publication: { event: name, data, from, position, atMs }, expiresInMs }: StoredEvent): object {
  const sender = from && { socket_id: from.connection, ...(from.user !== undefined && { user_id: from.user }) };
  return { name, data, ...sender, position, at_ms: atMs, ttl: Math.ceil(expiresInMs / 1000) };
}

function queryOf(query: URLSearchParams): HistoryQuery {
  const after = positionIn(query, "after") ?? sinceOf(query);
  const before = positionIn(query, "before");
  const [fromMs, toMs] = [numberIn(query, "from_ms"), numberIn(query, "to_ms")];
  const direction = query.get("direction") ?? (after ? "oldest" : "newest");
  if (direction !== "oldest" && direction !== "newest") throw invalid("direction is oldest or newest.");
  return {
    ...(after && { after }),
    ...(before && { before }),
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
    limit: numberIn(query, "limit", MOST_EVENTS) ?? FEW_EVENTS,
    direction,
  };
}

function rangeOf(query: URLSearchParams): PurgeRange {
  const position = positionIn(query, "before");
  const toMs = numberIn(query, "to_ms");
  if (position && toMs !== undefined) throw invalid("before and to_ms exclude each other.");
  if (position) return { type: "before", position };
  return toMs === undefined ? { type: "all" } : { type: "older", toMs };
}

/** A bound that is misspelt, or is one of reading only, must not purge what it was to spare. */
function refuseOthers(query: URLSearchParams, known: readonly string[]): void {
  const other = [...query.keys()].find((name) => !known.includes(name) && !OF_SIGNATURE.test(name));
  if (other !== undefined) throw invalid(`Purging has no parameter ${other}: it has ${known.join(" and ")}.`);
}

const OF_SIGNATURE = /^(auth_.*|body_md5)$/i;

/** Without an epoch, that of the channel now is meant. */
async function eventOf({ hub, app, query }: ApiCall, channel: string, text: string): Promise<PurgeRange> {
  if (!OFFSET.test(text)) throw invalid("The event to forget is named by its offset: /history/17.");
  const known =
    query.get("epoch") ?? (await hub.histories.read(app, channel, { limit: 0, direction: "newest" })).position.epoch;
  return { type: "event", position: { epoch: known, offset: Number(text) } };
}

const OFFSET = /^\d{1,15}$/;

/** `EPOCH:OFFSET`, as `next` is. */
function positionIn(query: URLSearchParams, name: string): Position | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const at = text.lastIndexOf(":");
  const offset = text.slice(at + 1);
  if (at < 0 || at > LONGEST_EPOCH || !OFFSET.test(offset)) throw invalid(`${name} is a position: EPOCH:OFFSET.`);
  return { epoch: text.slice(0, at), offset: Number(offset) };
}

const LONGEST_EPOCH = 64;

function cursorOf({ epoch, offset }: Position): string {
  return `${epoch}:${offset}`;
}

/** The older way to say `after`, which goes on with the oldest where the epoch is gone. */
function sinceOf(query: URLSearchParams): Position | undefined {
  const [epoch, offset] = [query.get("since_epoch"), query.get("since_offset")];
  if (epoch === null && offset === null) return undefined;
  if (epoch !== null && offset !== null && OFFSET.test(offset)) return { epoch, offset: Number(offset) };
  throw invalid("since_epoch and since_offset come together: the position of an event.");
}

function numberIn(query: URLSearchParams, name: string, most = Number.MAX_SAFE_INTEGER): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (/^\d{1,16}$/.test(text) && Number(text) <= most) return Number(text);
  throw invalid(`${name} is a whole number from 0 to ${most}.`);
}

function invalid(message: string): CommandError {
  return new CommandError("data_invalid", message);
}

function epochGone(what: string, { epoch }: Position): HttpError {
  const message = `The ${what} is of an epoch that is gone: the channel's is ${epoch || "not begun"} now. Read it from the beginning.`;
  return new HttpError(410, "epoch_gone", message);
}
