/** What comes over the dashboard's live connection, and how it is asked for. A part of `api-types.ts`; of the server it imports words only. */

import { type AppStatistics, addStatistics } from "../domain/app-statistics.ts";
import { matches } from "../domain/channel.ts";

/**
 * POST api/ticket (view): a token that opens the live connection once, within half a minute. Then `new WebSocket` at
 * `api/live?ticket=…` (relative to the page, ws or wss), which speaks Fanfare's native protocol: `welcome` comes first, then
 * `{"event":"subscribe","data":{"channel":liveChannel(…)}}` is answered `subscribed`. The page may send nothing else but
 * unsubscribe and ping. The server closes it when the session ends.
 */
export interface Ticket {
  readonly ticket: string;
  readonly expiresAtMs: number;
}

/** What the page subscribes to; `liveChannel` makes the channel's name of it. */
export type Watch =
  | ({ readonly type: "feed" } & FeedFilter)
  /** Every connection that matches, node by node, every two seconds; without an app, of all. */
  | { readonly type: "connections"; readonly app?: string; readonly search?: string; readonly isAnonymous?: boolean }
  /** One connection: its state every second, and its frames as they pass. Silence means that no node has it. */
  | { readonly type: "connection"; readonly app: string; readonly id: string }
  /** Numbers by the second, of every node; without an app, of all. */
  | { readonly type: "seconds"; readonly app?: string }
  /** The channels in which most is said, every second, of every node. They are counted only while they are watched. */
  | ({ readonly type: "channels" } & ChannelFilter);

/** `*` stands for any run of characters in `channel`. */
export interface ChannelFilter {
  readonly app?: string;
  readonly channel?: string;
}

/** One value, or several of which one is enough. */
export type OneOf = string | readonly string[];

/** All of what is named has to fit; `*` stands for any run of characters in `channel`, `event` and `user`. */
export interface FeedFilter {
  readonly app?: string;
  /** Besides the app's own, what belongs to no app: a client with a key that nobody has, for example. */
  readonly withNobodys?: boolean;
  readonly channel?: OneOf;
  readonly event?: OneOf;
  readonly user?: OneOf;
  readonly connection?: OneOf;
  /** The code of a refusal. */
  readonly reason?: OneOf;
  /** Ids. */
  readonly node?: OneOf;
  readonly types?: readonly FeedType[];
  /** Each has to be somewhere in what is shown of it, in upper or lower case. 5 000 events a second and node are looked through. */
  readonly text?: readonly string[];
}

/** What a filter looks at before anything is made of an event. */
export interface FeedNames {
  readonly type: FeedType;
  readonly app?: string | undefined;
  readonly channel?: string | undefined;
  readonly event?: string | undefined;
  readonly user?: string | undefined;
  readonly connection?: string | undefined;
  readonly code?: string | undefined;
}

/** Whether its names are those of the filter; what it does not have fits nothing. Node and text are not looked at. */
export function namesFit(filter: FeedFilter, it: FeedNames): boolean {
  if (filter.types && !filter.types.includes(it.type)) return false;
  const isNobodys = filter.withNobodys === true && it.app === undefined;
  if (filter.app !== undefined && filter.app !== it.app && !isNobodys) return false;
  return (
    isOneOf(filter.connection, it.connection) &&
    isOneOf(filter.reason, it.code) &&
    isOneOf(filter.channel, it.channel, matches) &&
    isOneOf(filter.event, it.event, matches) &&
    isOneOf(filter.user, it.user, matches)
  );
}

export function nodeFits({ node }: FeedFilter, id: string): boolean {
  return isOneOf(node, id);
}

export function textFits({ text = [] }: FeedFilter, entry: FeedEntry): boolean {
  if (text.length === 0) return true;
  const { channel, event, connection, user, name, address, library, code, why, payload } = entry;
  const all = [channel, event, connection, user, name, address, library, code, why, payload?.text]
    .join("\n")
    .toLowerCase();
  return text.every((wanted) => all.includes(wanted.toLowerCase()));
}

function isSame(one: string, it: string): boolean {
  return one === it;
}

function isOneOf(
  wanted: OneOf | undefined,
  value: string | undefined,
  fits: (one: string, it: string) => boolean = isSame,
): boolean {
  if (wanted === undefined) return true;
  if (value === undefined) return false;
  return typeof wanted === "string" ? fits(wanted, value) : wanted.some((one) => fits(one, value));
}

/** URL-safe base64 of its JSON, because filters may hold any character. At most 1000 characters. */
export function liveChannel(watch: Watch): string {
  const bytes = new TextEncoder().encode(JSON.stringify(watch));
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return `live-${base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** What arrives in these channels: the event's name, and its data by that name. */
export interface LiveEvents {
  readonly feed: FeedBatch;
  readonly connections: ConnectionList;
  readonly connection: ConnectionReport;
  readonly seconds: SecondReport;
  readonly earlier_seconds: EarlierSeconds;
  readonly channels: ChannelReport;
}

export interface SecondReport {
  readonly node: string;
  readonly app?: string;
  readonly point: Point;
}

/**
 * Some of the last five minutes of one node, oldest first. Sent to all who watch these seconds whenever one more does: some may have
 * come already.
 */
export interface EarlierSeconds {
  readonly node: string;
  readonly app?: string;
  readonly points: readonly Point[];
}

/** One second of one node. */
export interface ChannelReport {
  readonly node: string;
  readonly atMs: number;
  /** At most 50, those first in which most was said. None where nothing was. */
  readonly rates: readonly ChannelRate[];
}

export interface ChannelRate {
  readonly app: string;
  readonly channel: string;
  /** Events that were published on this node. */
  readonly in: number;
  /** How often anything was sent to a subscriber on this node. */
  readonly out: number;
  /** The last event that was published on this node, if one was since the channel is counted. */
  readonly last?: { readonly event: string; readonly atMs: number };
}

/** What happened on one node in the last tenth of a second. */
export interface FeedBatch {
  readonly node: string;
  /** Oldest first, at most 50. */
  readonly entries: readonly FeedEntry[];
  /** How many more there were of which nothing is shown: where there are too many, a random choice is. */
  readonly leftOut: number;
  /**
   * It happened before somebody came to watch: a choice of the last minutes, sent to all who watch by the same filter whenever one
   * more does. An entry may have come already.
   */
  readonly isEarlier?: boolean;
}

export const FEED_TYPES = [
  "connected",
  "disconnected",
  "subscribed",
  "unsubscribed",
  "occupied",
  "vacated",
  "member_added",
  "member_removed",
  "client_event",
  "api_message",
  "cache_miss",
  "gap",
  "refused",
  "turned_away",
  "webhook",
  "error",
] as const;

export type FeedType = (typeof FEED_TYPES)[number];

export interface FeedEntry {
  /** Unique among all that one page ever sees. */
  readonly id: string;
  readonly type: FeedType;
  readonly atMs: number;
  readonly app?: string;
  readonly channel?: string;
  /** The event's name, of messages and webhooks. */
  readonly event?: string;
  readonly connection?: string;
  readonly user?: string;
  readonly address?: string;
  /** A sentence, or a code: why it ended, was refused, went wrong. */
  readonly why?: string;
  /** The code of a refusal. */
  readonly code?: string;
  /** What an event carried; of a refusal, what was sent. */
  readonly payload?: Payload;
  /** What was signed, where the signature was refused. */
  readonly signed?: Signed;
  /** When a connection that ended was opened. */
  readonly openedAtMs?: number;
  /** What the user is called, by what is known of it. */
  readonly name?: string;
  /** What the connection is, as in a list of connections. */
  readonly protocol?: string;
  readonly transport?: string;
  /** It came over TLS, as far as the server knows. */
  readonly isEncrypted?: boolean;
  readonly agent?: string;
  readonly library?: string;
  /** Of the handshake or of the call of the API, those that may be shown. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A question for the signature explainer, as far as it may be shown. */
export interface Signed {
  readonly type: "channel" | "user" | "request";
  readonly socketId?: string;
  readonly channel?: string;
  readonly channelData?: string;
  readonly userData?: string;
  readonly auth?: string;
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
}

/** A payload as it may be shown: what looks secret is masked, what is too long is cut. Any text: never HTML. */
export interface Payload {
  readonly text: string;
  /** Of the whole. */
  readonly bytes: number;
}

/** One connection, from the node that has it. */
export interface ConnectionReport {
  /** Undefined when it has gone just now. */
  readonly connection?: ConnectionDetail;
  /** Since the last report, oldest first, at most 50. */
  readonly frames: readonly TappedFrame[];
  readonly leftOut: number;
}

export interface TappedFrame {
  readonly atMs: number;
  readonly direction: "in" | "out";
  readonly payload: Payload;
}

// ---- connections

/** GET api/apps/:app/connections?search=&limit=200: of the answering node; the live channel has those of every node. */
export interface ConnectionList {
  readonly connections: readonly ConnectionEntry[];
  /** How many match, listed or not. */
  readonly total: number;
  /** The node's id. */
  readonly node: string;
}

export interface ConnectionEntry {
  readonly id: string;
  readonly app: string;
  /** The node's id. */
  readonly node: string;
  readonly protocol: string;
  /** By which HTTP requests it is connected; absent where it has a WebSocket. */
  readonly transport?: string;
  /** Over TLS, as far as the server can believe it. */
  readonly isEncrypted?: true;
  readonly address: string;
  readonly user?: string;
  /** What the handshake said of the client: its User-Agent, and a Pusher library and its version. */
  readonly agent?: string;
  readonly library?: string;
  /** How many channels it is in. */
  readonly channels: number;
  readonly ageMs: number;
}

/** GET api/apps/:app/connections/:id; 404 where the answering node has none such (the live channel finds it on any). */
export interface ConnectionDetail extends ConnectionEntry {
  /** At most 1000. */
  readonly channelNames: readonly string[];
  readonly userInfo?: Payload;
  readonly identity?: Identity;
  /** How long the last ping took that was timed; absent where none was. Watched connections are pinged every ten seconds. */
  readonly rttMs?: number;
  readonly silentMs: number;
  /** Bytes that wait for it to read. */
  readonly bufferedBytes: number;
  /** Since a dashboard began to watch it; undefined where none does. */
  readonly traffic?: ConnectionTraffic;
}

/** By what it is known whose connection it is: a token, a signature of the back end, its answer, or a presence channel alone. */
export interface Identity {
  readonly by: "token" | "signature" | "backend" | "presence";
  /** Which of the app's secrets it was signed with, the first is 1; absent where it was none of them. */
  readonly secret?: { readonly number: number; readonly of: number };
  /** When the proof was made. */
  readonly sinceMs?: number;
  readonly expiresAtMs?: number;
  /** Patterns of channels that the token lets it join. */
  readonly channels?: readonly string[];
  /** How many users it is notified of. */
  readonly watches: number;
}

export interface ConnectionTraffic {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

// ---- numbers

export { type AppStatistics, addStatistics, noStatistics } from "../domain/app-statistics.ts";
export { latencyQuantileMs } from "../domain/latency.ts";

export interface Point extends AppStatistics {
  readonly atMs: number;
  /** Of seconds of all apps: how many of the events that are timed took how long, for `latencyQuantileMs`. Absent where none was. */
  readonly latency?: readonly number[];
  /** Of seconds: what was refused, by its code, or as `other`. Absent where nothing was. */
  readonly refused?: Readonly<Record<string, number>>;
}

/** Everything added up. The time is that of the first. */
export function addPoints(one: Point, other: Point): Point {
  const refused = { ...one.refused };
  for (const [code, count] of Object.entries(other.refused ?? {})) refused[code] = (refused[code] ?? 0) + count;
  const latency = one.latency?.map((count, index) => count + (other.latency?.[index] ?? 0)) ?? other.latency;
  return {
    ...addStatistics(one, other),
    atMs: one.atMs,
    ...(latency && { latency }),
    ...((one.refused || other.refused) && { refused }),
  };
}
