/** The tables of limits, of the process and of each app, and the room that the largest events need. */

import { z } from "zod";
import type { AppLimits } from "../../domain/app.ts";
import { integer, limit, optionalLimit, seconds, settingInfo } from "./fields.ts";

const EVENT_DATA_BYTES = 102_400;
const BATCH_SIZE = 10;

/** JSON writes a control character, one byte, as six: `\u0001`. */
const ESCAPED = 6;
/** For the names, ids and keys around an event's data, all of them escaped. */
const ENVELOPE_BYTES = 40_960;
/** So many of the largest events at once cut no reader that reads. */
const BURST = 20;
/** What the settings take. */
const MOST = 2 ** 30;

const ROOM = sizesFor(EVENT_DATA_BYTES, BATCH_SIZE);

export const appLimits = {
  connections: limit("Most connections of the app.", "unlimited"),
  channelsPerConnection: limit("Most channels that one connection may be in.", 10_000),
  channelNameLength: integer("Longest channel name, in characters.", 200, 1, 1000),
  eventNameLength: integer("Longest event name, in characters.", 200, 1, 1000),
  eventDataBytes: integer("Largest data of one event, in bytes; 10240 is Pusher's.", EVENT_DATA_BYTES),
  channelsPerTrigger: integer("Most channels that one API call may publish to.", 100),
  batchSize: integer("Most events in one batch of the API.", BATCH_SIZE),
  presenceMembers: limit("Most users in one presence channel.", 100),
  memberDataBytes: integer("Largest data of one presence member, in bytes.", 1024),
  userIdLength: integer("Longest user id, in characters.", 128, 1, 1000),
  watchlistSize: integer("Most users that one user may watch.", 100, 0),
  clientEventsPerSecond: integer("Most events that one connection may publish per second.", 10),
  subscribesPerSecond: limit(
    "Most subscriptions that one connection may ask for per second; above it they are refused (429). Unlimited, they are carried out at the server's pace.",
    "unlimited",
  ),
  framesPerSecond: limit(
    "Most frames of any kind, pings too, that one connection may send per second; one that sends more is closed (4100).",
    "unlimited",
  ),
  apiRequestsPerSecond: limit(
    "Most signed API calls per second in the whole cluster, and of each node while the engine is away; above it they are answered 429.",
    "unlimited",
  ),
  unauthenticatedTimeoutS: seconds(
    "Time a connection has to sign in or join a private channel where `requireAuthentication` is on, in seconds.",
    30,
  ),
  revocationTtlS: seconds(
    "How long it is remembered that a user was terminated, in seconds: as long as tokens live. A token issued before is refused so long.",
    86_400,
  ),
};

export const processLimits = z
  .strictObject({
    connections: integer("Most connections of the process.", 100_000),
    memoryBytes: optionalLimit(
      "Resident memory above which the process takes no more connections (4100) and `/ready` answers 503, in bytes. Without it, nine tenths of what the cgroup allows.",
    ),
    connectionsPerIp: limit(
      "Most connections of one address at a time in this process, an IPv6 /64 network counting as one; above it handshakes are answered 429. Each of `workers`, and each node of a cluster, counts those that reach it: of N workers, one address may have up to N times as many, and one that is refused may get in at its next try, with another worker. Loopback and private addresses count only where `trustedProxies` is set, trusted proxies never.",
      "unlimited",
    ),
    connectionRatePerIp: limit(
      "Most new connections of one address per minute, counted and refused like `connectionsPerIp`, by each process for itself. As many may come at once, and then one each time a share of the minute is over.",
      "unlimited",
    ),
    frameBytes: integer(
      "Largest frame a client may send, in bytes. Without it, more where `eventDataBytes` is: room for the largest event with all of its data escaped (six times its bytes).",
      ROOM.frameBytes,
      256,
      2 ** 30,
    ),
    httpBodyBytes: integer(
      "Largest body of an API call, in bytes. Without it, more where `eventDataBytes` or `batchSize` is: room for a batch of the largest events.",
      ROOM.httpBodyBytes,
      256,
      2 ** 30,
    ),
    outboundBufferBytes: integer(
      "Most bytes that wait for one slow reader before it is cut. Without it, more where `eventDataBytes` is: room for twenty of the largest events at once.",
      ROOM.outboundBufferBytes,
      1024,
      2 ** 30,
    ),
    readerLagS: seconds(
      "How far a reader may be behind, in seconds, before it is cut: while anything is sent to it, a WebSocket ping follows every 10 s, and the pong comes when it has read so far.",
      30,
      0.1,
    ),
    jsonDepth: integer("Deepest nesting of JSON that is read.", 32, 2, 1000),
    waitingCommands: integer(
      "Most commands of one connection that wait for their turn; one that sends more is closed (4100).",
      20_000,
    ),
    waitingBytes: integer(
      "Most bytes of one connection's commands that wait for their turn, each counting 32 more; one that sends more is closed (4100).",
      4_194_304,
      1024,
      2 ** 30,
    ),
    handshakeTimeoutS: seconds(
      "Time a client has to send a request's body or to ask again, in seconds; its headers always have ten.",
      10,
    ),
  })
  .prefault({})
  .register(settingInfo, {
    parse: "json",
    description: "Limits of the process, whatever the app.",
    expects: "an object",
  });

export interface MessageSizes {
  readonly frameBytes: number;
  readonly httpBodyBytes: number;
  readonly outboundBufferBytes: number;
}

export function sizesFor(eventDataBytes: number, batchSize: number): MessageSizes {
  const frameBytes = Math.min(MOST, ESCAPED * eventDataBytes + ENVELOPE_BYTES);
  const times = (many: number) => Math.min(MOST, many * frameBytes);
  return { frameBytes, httpBodyBytes: times(batchSize), outboundBufferBytes: times(BURST) };
}

/** These limits, with more room where the events of an app need it and nobody says how much there is. Never with less. */
export function widenForEvents<Limits extends MessageSizes>(
  limits: Limits,
  given: unknown,
  apps: readonly AppLimits[],
): Limits {
  const rooms = apps.map(({ eventDataBytes, batchSize }) => sizesFor(eventDataBytes, batchSize));
  const names = NAMES.filter((name) => !Object.hasOwn(Object(given), name));
  const wider = names.map((name) => [name, Math.max(limits[name], ...rooms.map((room) => room[name]))]);
  return { ...limits, ...Object.fromEntries(wider) };
}

const NAMES = ["frameBytes", "httpBodyBytes", "outboundBufferBytes"] as const;
