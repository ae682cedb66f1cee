/** The limits of the process and of each app, and the sizes that the largest events need. */

import type { AppLimits } from "../../domain/app.ts";
import { integer, limit, optional, seconds, section, withDefault } from "./fields.ts";

const DEFAULT_EVENT_DATA_BYTES = 102_400;
const DEFAULT_BATCH_SIZE = 10;

/** JSON writes a control character, one byte, as six: `\u0001`. */
const ESCAPED_BYTES = 6;
/** For the names, ids and keys around an event's data, all of them escaped. */
const ENVELOPE_BYTES = 40_960;
/** As many of the largest events at once do not disconnect a client that reads. */
const BURST_EVENTS = 20;
const MAX_BYTES = 2 ** 30;

const SIZES = sizesFor(DEFAULT_EVENT_DATA_BYTES, DEFAULT_BATCH_SIZE);

export const appLimits = {
  connections: limit("Most connections of the app.").apply(withDefault, Number.POSITIVE_INFINITY),
  channelsPerConnection: limit("Most channels that one connection may be in.").apply(withDefault, 10_000),
  channelNameLength: integer("Longest channel name, in characters.", 1, 1000).apply(withDefault, 200),
  eventNameLength: integer("Longest event name, in characters.", 1, 1000).apply(withDefault, 200),
  eventDataBytes: integer("Largest data of one event, in bytes; 10240 is Pusher's.").apply(
    withDefault,
    DEFAULT_EVENT_DATA_BYTES,
  ),
  channelsPerTrigger: integer("Most channels that one API call may publish to.").apply(withDefault, 100),
  batchSize: integer("Most events in one batch of the API.").apply(withDefault, DEFAULT_BATCH_SIZE),
  presenceMembers: limit("Most users in one presence channel.").apply(withDefault, 100),
  memberDataBytes: integer("Largest data of one presence member, in bytes.").apply(withDefault, 1024),
  memberStateBytes: integer(
    "Largest state that the clients of one presence member may give it, in bytes of JSON.",
  ).apply(withDefault, 1024),
  userIdLength: integer("Longest user id, in characters.", 1, 1000).apply(withDefault, 128),
  watchlistSize: integer("Most users that one user may watch.", 0).apply(withDefault, 100),
  clientEventsPerSecond: integer("Most events that one connection may publish per second.").apply(withDefault, 10),
  memberUpdatesPerSecond: integer(
    "Most changes of its state that one connection may make per second, in all its presence channels together.",
  ).apply(withDefault, 2),
  subscribesPerSecond: limit(
    "Most subscriptions, and pages of history, that one connection may ask for per second; above it they are refused (429). Unlimited, they are carried out at the server's pace.",
  ).apply(withDefault, Number.POSITIVE_INFINITY),
  framesPerSecond: limit(
    "Most frames of any kind, pings too, that one connection may send per second; one that sends more is closed (4100).",
  ).apply(withDefault, Number.POSITIVE_INFINITY),
  apiRequestsPerSecond: limit(
    "Most signed API calls per second in the whole cluster, and of each node while the engine is away; above it they are answered 429.",
  ).apply(withDefault, Number.POSITIVE_INFINITY),
  unauthenticatedTimeoutS: seconds(
    "Time a connection has to sign in or join a private channel where `requireAuthentication` is on, in seconds.",
  ).apply(withDefault, 30),
  revocationTtlS: seconds(
    "How long the server remembers that a user was terminated, in seconds: as long as tokens live. A token issued before is refused for that time.",
  ).apply(withDefault, 86_400),
};

export const processLimits = section("Limits of the process, whatever the app.", {
  connections: integer("Most connections of the process.").apply(withDefault, 100_000),
  memoryBytes: limit(
    "Resident memory above which the process takes no more connections (4100) and `/ready` answers 503, in bytes. Without it, nine tenths of what the cgroup allows.",
  ).apply(optional),
  connectionsPerIp: limit(
    "Most connections of one address at a time in this process, an IPv6 /64 network counting as one; above it handshakes are answered 429. Each of `workers`, and each node of a cluster, counts those that reach it: of N workers, one address may have up to N times as many, and one that is refused may get in at its next try, with another worker. Loopback and private addresses count only where `trustedProxies` is set, trusted proxies never.",
  ).apply(withDefault, Number.POSITIVE_INFINITY),
  connectionRatePerIp: limit(
    "Most new connections of one address per minute, counted and refused like `connectionsPerIp`, by each process for itself. As many may come at once, and then one each time a share of the minute is over.",
  ).apply(withDefault, Number.POSITIVE_INFINITY),
  frameBytes: integer(
    "Largest frame a client may send, in bytes. Without it, more where `eventDataBytes` is: room for the largest event with all of its data escaped (six times its bytes).",
    256,
    MAX_BYTES,
  ).apply(withDefault, SIZES.frameBytes),
  httpBodyBytes: integer(
    "Largest body of an API call, in bytes. Without it, more where `eventDataBytes` or `batchSize` is: room for a batch of the largest events.",
    256,
    MAX_BYTES,
  ).apply(withDefault, SIZES.httpBodyBytes),
  outboundBufferBytes: integer(
    "Most bytes that wait for one slow client before it is disconnected. Without it, more where `eventDataBytes` is: room for twenty of the largest events at once.",
    1024,
    MAX_BYTES,
  ).apply(withDefault, SIZES.outboundBufferBytes),
  readerLagS: seconds(
    "How far a client may be behind, in seconds, before it is disconnected: while anything is sent to it, a WebSocket ping follows every 10 s, and the pong comes when it has read up to there.",
    0.1,
  ).apply(withDefault, 30),
  jsonDepth: integer("Deepest nesting of JSON that is read.", 2, 1000).apply(withDefault, 32),
  waitingCommands: integer(
    "Most commands of one connection that wait for their turn; one that sends more is closed (4100).",
  ).apply(withDefault, 20_000),
  waitingBytes: integer(
    "Most bytes of one connection's commands that wait for their turn, each counting 32 more; one that sends more is closed (4100).",
    1024,
    MAX_BYTES,
  ).apply(withDefault, 4_194_304),
  handshakeTimeoutS: seconds(
    "Time a client has to send a request's body, or its next request, in seconds; its headers always have ten.",
  ).apply(withDefault, 10),
});

const SIZE_NAMES = ["frameBytes", "httpBodyBytes", "outboundBufferBytes"] as const;

type MessageSizes = Readonly<Record<(typeof SIZE_NAMES)[number], number>>;

function sizesFor(eventDataBytes: number, batchSize: number): MessageSizes {
  const frameBytes = Math.min(MAX_BYTES, ESCAPED_BYTES * eventDataBytes + ENVELOPE_BYTES);
  const frames = (count: number) => Math.min(MAX_BYTES, count * frameBytes);
  return { frameBytes, httpBodyBytes: frames(batchSize), outboundBufferBytes: frames(BURST_EVENTS) };
}

/** These limits, with sizes raised to what the apps' events need, except those that were configured. Never lowered. */
export function widenForEvents<Limits extends MessageSizes>(
  limits: Limits,
  configured: unknown,
  apps: readonly AppLimits[],
): Limits {
  const needed = apps.map(({ eventDataBytes, batchSize }) => sizesFor(eventDataBytes, batchSize));
  const wider = SIZE_NAMES.filter((name) => !Object.hasOwn(Object(configured), name)).map((name) => [
    name,
    Math.max(limits[name], ...needed.map((sizes) => sizes[name])),
  ]);
  return { ...limits, ...Object.fromEntries(wider) };
}
