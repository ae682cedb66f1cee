/**
 * The schema of the configuration. Types, defaults, environment names, flags, messages and docs/configuration.md are
 * derived from it, so that none of them can contradict another.
 */

import * as z from "zod/mini";
import type { App } from "../../domain/app.ts";
import { apps, defaults } from "./app.ts";
import { controllers, eventsFile } from "./code-files.ts";
import { dashboard } from "./dashboard.ts";
import {
  boolean,
  fileName,
  host,
  integer,
  ipRanges,
  oneOf,
  optional,
  seconds,
  section,
  settingInfo,
  text,
  textOrEmpty,
  withDefault,
  workerCount,
} from "./fields.ts";
import { hooks } from "./hooks.ts";
import { processLimits } from "./limits.ts";
import { nats } from "./nats.ts";
import { outbox } from "./outbox.ts";
import { redis } from "./redis.ts";
import { audit, database, metrics, statistics, webhooks } from "./storage.ts";
import { telemetry } from "./telemetry.ts";
import { tls } from "./tls.ts";

const http = section("HTTP in place of a WebSocket, where a network does not let one through.", {
  pusher: boolean("Answers pusher-js's `xhr_streaming` and `xhr_polling`.").apply(withDefault, true),
  native: boolean("Answers the native protocol over HTTP, below `/rt/`.").apply(withDefault, true),
  keepAliveS: seconds(
    "Silence on a stream after which the server writes a sign of life, in seconds: less than the 60 s after which nginx and most other proxies close a silent response.",
    0.1,
  ).apply(withDefault, 25),
  pollS: seconds("How long a poll waits for something to report, in seconds.", 0.1).apply(withDefault, 25),
  sessionTimeoutS: seconds(
    "How long a connection lives while no request reads from it, in seconds; then its members leave.",
    0.1,
  ).apply(withDefault, 10),
  pin: oneOf(
    "Whether a client is told the address of the node that has its connection, so that its requests need not be passed on: where `nodeUrl` names another host than the client has used, and the same scheme and port.",
    ["auto", "off"],
  ).apply(withDefault, "auto"),
});

const cluster = section("How the servers of a cluster share the connections.", {
  rebalance: oneOf(
    "When servers that have more connections than their even share ask clients to reconnect, those that miss nothing by it: after another server has joined as well as on `fanfare rebalance`, or on that only.",
    ["on-join", "manual"],
  ).apply(withDefault, "on-join"),
  rebalanceDelayS: seconds(
    "Time after a server has joined before they do, in seconds: as long as the load balancer takes to find it.",
    0,
  ).apply(withDefault, 15),
  rebalanceHoldS: seconds(
    "Time that a client which was asked to reconnect may take, in seconds. Until it is over its user stays a member of presence channels, so that nobody is notified of a departure; only clients whose channels keep events for as long are asked.",
    3,
  ).apply(withDefault, 10),
  rebalancePerS: integer("Most connections that each server asks to reconnect per second.").apply(withDefault, 100),
});

const log = section("What is logged, and how.", {
  level: oneOf(
    "The lowest level that is logged. `notice` is `info`, and `warning` is `warn`; debug and trace show masked payloads.",
    ["trace", "debug", "info", "notice", "warn", "warning", "error", "fatal", "silent"],
  ).apply(withDefault, "info"),
  format: oneOf("How lines look; auto is pretty on a terminal and JSON elsewhere.", ["auto", "pretty", "json"]).apply(
    withDefault,
    "auto",
  ),
  file: fileName("File that lines are added to; they then go to standard error only where that is a terminal.").apply(
    optional,
  ),
  errorFile: fileName("File for lines of level error and fatal, which stay in the other place as well.").apply(
    optional,
  ),
  rotate: oneOf(
    "When a log file is put aside, its day added to its name: at midnight, local time; at `log.maxBytes`; or never.",
    ["daily", "size", "none"],
  ).apply(withDefault, "daily"),
  keep: integer("Most files of each log that are kept when put aside; older ones are deleted.").apply(withDefault, 14),
  maxBytes: integer("Size at which a log file is put aside where `log.rotate` is size, in bytes.", 1024).apply(
    withDefault,
    10_485_760,
  ),
});

const MAX_HOLD_MS = 100;

const fanout = section("How publications reach sockets.", {
  holdMs: integer(
    "Longest time a publication waits so that one write carries several, in milliseconds; 0 holds nothing. Only where this time has seen 32 writes to sockets, or the one before it has put off as many, and only in a channel that was written to within this time: a lone message never waits, and the order of what a client receives stays.",
    0,
    MAX_HOLD_MS,
  ).apply(withDefault, 0),
});

const MAX_THREADS = 256;
const MAX_WORKERS = 256;

const tasks = section("Work that programs give to threads.", {
  threads: z
    .union([z.literal("auto"), z.int().check(z.gte(1), z.lte(MAX_THREADS))])
    .register(settingInfo, {
      description: "Most threads that `server.task` uses at a time; auto is one for each processor.",
      expects: `a whole number from 1 to ${MAX_THREADS}, or "auto"`,
      parse: "number",
    })
    .apply(withDefault, "auto"),
  queue: integer("Most tasks that wait for a thread; more are refused at once.", 0).apply(withDefault, 1000),
  timeoutS: seconds("Time one task may run before its thread is ended, in seconds.").apply(withDefault, 60),
});

export const schema = z.strictObject({
  enabled: boolean("Off: `fanfare serve` says so and exits with code 0, and `start()` listens nowhere.").apply(
    withDefault,
    true,
  ),
  host: host(
    "Address of this machine to listen on, 0.0.0.0 for every one of them; or the path of a Unix socket, for a proxy on this machine.",
  ).apply(withDefault, "0.0.0.0"),
  port: integer("Port to listen on; 0 picks a free one.", 0, 65_535).apply(withDefault, 9501),
  workers: workerCount('Processes that share the port (Linux); "auto" is one for each processor.', MAX_WORKERS).apply(
    withDefault,
    1,
  ),
  path: textOrEmpty("Prefix in front of every path, for a reverse proxy that does not strip it, such as `/ws`.", {
    pattern: /^(\/[-A-Za-z0-9_.~]+)*$/,
    expects: 'empty, or a path such as "/ws" that starts with "/" and does not end with it',
  }).apply(withDefault, ""),
  mode: oneOf("Development makes a demo app where none is configured and shows its page; production does neither.", [
    "development",
    "production",
  ]).apply(withDefault, "development"),
  openapi: boolean(
    "Serves the OpenAPI document of the HTTP API at `/openapi.json`, to everybody. Without it, it is served in development only.",
  ).apply(optional),
  stateDir: text("Folder for what the server has to remember, such as the demo app.", {
    expects: "the name of a folder",
  }).apply(withDefault, ".fanfare"),
  pidFile: fileName(
    "File with the process id. `fanfare serve --daemon` has one in `stateDir` unless another is named.",
  ).apply(optional),
  control: boolean(
    "Opens a socket in `stateDir`, for its owner only, by which `fanfare reload`, `status` and `stats` reach the process. `fanfare serve` opens it unless this is false, programs only where it is true.",
  ).apply(optional),
  activityTimeoutS: seconds(
    "Silence after which either side pings the other, in seconds: half of the 60 s after which nginx and most other proxies close a silent connection.",
    0.05,
  ).apply(withDefault, 30),
  pongTimeoutS: seconds("Time the pong may take, in seconds.", 0.01).apply(withDefault, 30),
  drainTimeoutS: seconds("Time clients have to leave when the server stops, in seconds.", 0).apply(withDefault, 5),
  drainDelayS: seconds(
    "Time before that in which the server works on but `/ready` answers 503, so that load balancers stop sending clients, in seconds.",
    0,
  ).apply(withDefault, 0),
  drainSpreadS: seconds(
    "Time over which clients are asked to leave, so that they do not all come back at once, in seconds; at most, and without it, half of `drainTimeoutS`.",
    0,
  ).apply(optional),
  signatureWindowS: seconds("How far the time in a signed API call may be off, in seconds.", 1).apply(withDefault, 600),
  trustedProxies: ipRanges(
    "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; the client is the right-most address that is none of them.",
  ).apply(withDefault, []),
  allowIps: ipRanges("The only addresses that may connect or call; empty for all. Others are answered 403.").apply(
    withDefault,
    [],
  ),
  denyIps: ipRanges("Addresses that may neither connect nor call, even if `allowIps` has them.").apply(withDefault, []),
  strictProtocol: boolean("Pusher clients that name no protocol version are refused (4008).").apply(withDefault, false),
  log,
  tls,
  tasks,
  database,
  statistics,
  webhooks,
  hooks,
  audit,
  metrics,
  telemetry,
  dashboard,
  engine: oneOf(
    "What carries messages and knows who is where: this process's memory, or a Redis or NATS that several servers share.",
    ["memory", "redis", "nats"],
  ).apply(withDefault, "memory"),
  redis,
  nats,
  nodeUrl: text(
    "Where clients reach this server of a cluster, `wss://ws-1.example.com`: then it is among those that `/nodes` sends them to.",
    {
      pattern: /^(wss?|https?):\/\/[^\s/?#]+(\/[^\s?#]*)?$/,
      isUrl: true,
      expects: "an address that begins with ws://, wss://, http:// or https://",
    },
  ).apply(optional),
  nodeTimeoutS: seconds(
    "Silence after which the other servers of a cluster consider one dead, and its members gone, in seconds; clients are notified up to two seconds later.",
    0.5,
  ).apply(withDefault, 6),
  cluster,
  publishWaitS: seconds(
    "Time a publication waits for an engine that is away before it is refused (503), in seconds.",
    0.1,
  ).apply(withDefault, 5),
  publishWaitBytes: integer("Most bytes of publications that wait like that.", 1024, 2 ** 32).apply(
    withDefault,
    67_108_864,
  ),
  accessDoubtS: seconds(
    "Time after which a server that is cut off from its engine closes connections that are signed in or in private channels, because it does not hear who may no longer stay, in seconds. Without it, it keeps them.",
    1,
  ).apply(optional),
  compression: boolean(
    "Offers clients permessage-deflate, without memory between messages: for slow lines, at 15 µs of processor time for each reader of a frame of 2 KB. What a frame inflates to is bounded by `limits.frameBytes`.",
  ).apply(withDefault, false),
  http,
  fanout,
  events: eventsFile,
  controllers,
  limits: processLimits,
  outbox,
  defaults,
  apps,
});

/** As parsed, before each app has taken its defaults. */
export type Settings = z.output<typeof schema>;
export type AppSettings = Settings["apps"][number];
export type TokenSettings = NonNullable<AppSettings["token"]>;

/** What every app takes unless it says otherwise. */
export type AppDefaults = Omit<App, "id" | "key" | "secrets" | "name" | "enabled" | "token" | "webhooks" | "hooks">;

/** Every setting with its value. */
export type Config = Readonly<Omit<Settings, "apps" | "defaults">> & {
  readonly defaults: AppDefaults;
  readonly apps: readonly App[];
};
