/**
 * The table of every setting. From it come the types, the defaults, the environment names, the flags, the messages and
 * docs/configuration.md, so that none of them can say something else.
 */

import { z } from "zod";
import type { App } from "../../domain/app.ts";
import { controllers } from "./controllers.ts";
import { dashboard } from "./dashboard.ts";
import {
  addresses,
  boolean,
  host,
  integer,
  oneOf,
  optionalBoolean,
  optionalLimit,
  optionalOrigins,
  optionalSeconds,
  optionalText,
  origins,
  requiredText,
  seconds,
  settingInfo,
  text,
  withoutDefaults,
  workerCount,
} from "./fields.ts";
import { historyRule } from "./history.ts";
import { appLimits, processLimits } from "./limits.ts";
import { nats } from "./nats.ts";
import { redis } from "./redis.ts";
import { audit, database, metrics, statistics, tracing, webhook, webhooks } from "./storage.ts";
import { tls } from "./tls.ts";

const list = { parse: "json" } as const;

const MOST_THREADS = 256;

export const channelRule = z
  .strictObject({
    match: requiredText(
      "Names the channels the rule is for: a full name, or a pattern with `*` (any run) and `?` (one).",
    ),
    clientPublish: z.enum(["none", "client-events", "any"]).exactOptional().register(settingInfo, {
      description: "What subscribed clients may publish: nothing, `client-…` events, or any event.",
      expects: '"none", "client-events" or "any"',
      parse: "text",
    }),
    cacheTtlS: z.number().min(0.001).exactOptional().register(settingInfo, {
      description: "Time a cache channel keeps its last event, in seconds.",
      expects: "a number of seconds from 0.001 up",
      parse: "number",
    }),
    maxSubscribers: optionalLimit("Most connections that may subscribe to one such channel."),
    private: optionalBoolean(
      "Whoever subscribes needs permission, as in channels whose name begins with `private-`; those need it in any case.",
    ),
    auth: optionalBoolean("Whoever subscribes has to be signed in."),
    history: historyRule.exactOptional().register(settingInfo, {
      ...list,
      description:
        "What is kept of the channel, so that clients of the native protocol can resume and the API can read it.",
      expects: "an object with `size` and `ttlS`, both optional",
    }),
  })
  .register(settingInfo, {
    ...list,
    description: "What applies to the channels of one pattern.",
    expects: "an object with `match`",
  });

const rules = z
  .array(channelRule)
  .default([])
  .register(settingInfo, {
    ...list,
    description: "Rules for channels by name; the first that matches wins.",
    expects: "a list of channel rules",
  });

const switches = {
  clientEvents: boolean("Clients may publish `client-…` events in private and presence channels.", false),
  subscriptionCounts: boolean("Subscribers of channels without presence are told how many they are.", false),
  anonymous: boolean("Clients of the native protocol may connect without a token.", false),
  requireTls: boolean("Connections that did not come over TLS are refused.", false),
  requireAuthentication: boolean(
    "Connections that neither sign in nor join a private channel in time are closed.",
    false,
  ),
  allowMissingOrigin: boolean(
    "Clients that send no Origin header may connect. Browsers always send one; phones and services do not.",
    true,
  ),
  statistics: boolean("What the app does is counted and kept, where `statistics` are.", true),
  replayProtection: boolean(
    "A signed API call counts once: the same one again within `signatureWindowS` is refused (401), even if meant.",
    false,
  ),
};

const ORIGINS =
  "Webpages that may connect; empty for all. `https://a.example` is one origin, `a.example` a host with any scheme and port, `*.a.example` the hosts below it.";

const defaults = z
  .strictObject({
    ...switches,
    limits: z
      .strictObject(appLimits)
      .prefault({})
      .register(settingInfo, { ...list, description: "The limits of each app.", expects: "an object" }),
    allowedOrigins: origins(ORIGINS),
    channels: rules,
  })
  .prefault({})
  .register(settingInfo, {
    ...list,
    description: "What every app takes unless it says otherwise.",
    expects: "an object",
  });

const ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"] as const;

const token = z
  .strictObject({
    algorithms: z
      .array(
        z.enum(ALGORITHMS).register(settingInfo, {
          description: "A signature algorithm.",
          expects: '"HS256", "RS256", "ES256" or "EdDSA"',
          parse: "text",
        }),
      )
      .min(1)
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "Signature algorithms that count. Without it, those that fit the key.",
        expects: 'a list of "HS256", "RS256", "ES256" and "EdDSA"',
      }),
    secret: optionalText("Shared secret, for HS256.", { secret: true }),
    publicKey: optionalText("The issuer's public key (PEM, SubjectPublicKeyInfo), for RS256, ES256 and EdDSA."),
    jwksUrl: z
      .url({ protocol: /^https?$/ })
      .exactOptional()
      .register(settingInfo, {
        description: "Where the issuer publishes its keys; no other address is ever fetched.",
        expects: "an http:// or https:// address",
        parse: "text",
      }),
    audience: optionalText("The audience that a token has to name."),
    issuer: optionalText("The issuer that a token has to name."),
    clockToleranceS: z.number().min(0).max(3600).default(5).register(settingInfo, {
      description: "How far the issuer's clock may be off, in seconds.",
      expects: "a number of seconds from 0 to 3600",
      parse: "number",
    }),
  })
  .exactOptional()
  .register(settingInfo, {
    ...list,
    description: "How tokens are verified. Without it: HS256 with any of the app's secrets.",
    expects: "an object",
  });

const NAME = { pattern: /^[-A-Za-z0-9_.]{1,128}$/, expects: 'text of up to 128 letters, digits, "-", "_" and "."' };

/** As much as the column of a database holds, and nothing that one of them refuses. */
const TITLE = {
  pattern: /^[^\p{Cc}\p{Cs}]{1,255}$/u,
  expects: "text of 1 to 255 characters, without control characters",
};

const app = z
  .strictObject({
    id: requiredText("Names the app in the HTTP API: `/apps/ID/events`.", NAME),
    key: requiredText("Names the app when a client connects: `/app/KEY`. Public.", NAME),
    secret: optionalText("Signs API calls and permissions. Either this or `secrets`.", { secret: true }),
    secrets: z
      .array(requiredText("A secret.", { secret: true }))
      .min(1)
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "Several secrets that are valid at once, for rotation: the first signs, all of them verify.",
        expects: "a list of one or more secrets",
        secret: true,
      }),
    name: optionalText("A name for people. Without it, the id.", TITLE),
    enabled: boolean("A disabled app refuses connections and API calls.", true),
    ...withoutDefaults(switches),
    limits: z
      .strictObject(withoutDefaults(appLimits))
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "Limits of this app that differ from `defaults.limits`.",
        expects: "an object",
      }),
    allowedOrigins: optionalOrigins(ORIGINS),
    channels: z
      .array(channelRule)
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "Rules that take the place of `defaults.channels`.",
        expects: "a list of channel rules",
      }),
    webhooks: z
      .array(webhook)
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "Who is told of what happens in the app's channels.",
        expects: "a list of objects with `url`",
      }),
    token,
  })
  .register(settingInfo, { ...list, description: "One app.", expects: "an object with `id`, `key` and `secret`" });

const log = z
  .strictObject({
    level: oneOf(
      "The least that is worth a line. `notice` is `info`, and `warning` is `warn`; debug and trace show masked payloads.",
      ["trace", "debug", "info", "notice", "warn", "warning", "error", "fatal", "silent"],
      "info",
    ),
    format: oneOf(
      "How lines look; auto is pretty on a terminal and JSON elsewhere.",
      ["auto", "pretty", "json"],
      "auto",
    ),
    file: optionalText("File that lines are added to; they then go to standard error only where that is a terminal.", {
      expects: "the name of a file",
    }),
    errorFile: optionalText("File for lines of level error and fatal, which stay in the other place as well.", {
      expects: "the name of a file",
    }),
    rotate: oneOf(
      "When a log file is put aside, its day added to its name: at midnight, local time; at `log.maxBytes`; or never.",
      ["daily", "size", "none"],
      "daily",
    ),
    keep: integer("Most files of each log that are kept when put aside; older ones are deleted.", 14),
    maxBytes: integer("Size at which a log file is put aside where `log.rotate` is size, in bytes.", 10_485_760, 1024),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: "What is logged, and how.", expects: "an object" });

const tasks = z
  .strictObject({
    threads: z
      .union([z.literal("auto"), z.number().int().min(1).max(MOST_THREADS)])
      .default("auto")
      .register(settingInfo, {
        description: "Most threads that `server.task` uses at a time; auto is one for each processor.",
        expects: `a whole number from 1 to ${MOST_THREADS}, or "auto"`,
        parse: "number",
      }),
    queue: integer("Most tasks that wait for a thread; more are refused at once.", 1000, 0),
    timeoutS: seconds("Time one task may run before its thread is ended, in seconds.", 60),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: "Work that programs give to threads.", expects: "an object" });

const MOST_WORKERS = 256;

export const schema = z.strictObject({
  enabled: boolean("Off: `fanfare serve` says so and ends with 0, and `start()` listens nowhere.", true),
  host: host(
    "Address of this machine to listen on, 0.0.0.0 for every one of them; or the path of a Unix socket, for a proxy on this machine.",
    "0.0.0.0",
  ),
  port: integer("Port to listen on; 0 picks a free one.", 9501, 0, 65_535),
  workers: workerCount('Processes that share the port (Linux); "auto" is one for each processor.', 1, MOST_WORKERS),
  path: text("Prefix in front of every path, for a reverse proxy that does not strip it, such as `/ws`.", "", {
    pattern: /^(\/[-A-Za-z0-9_.~]+)*$/,
    expects: 'empty, or a path such as "/ws" that starts with "/" and does not end with it',
  }),
  mode: oneOf(
    "Development makes a demo app where none is configured and shows its page; production does neither.",
    ["development", "production"],
    "development",
    { aliases: ["NODE_ENV"] },
  ),
  stateDir: text("Folder for what the server has to remember, such as the demo app.", ".fanfare", {
    pattern: /./,
    expects: "the name of a folder",
  }),
  pidFile: optionalText(
    "File with the process id. `fanfare serve --daemon` has one in `stateDir` without being told.",
    {
      expects: "the name of a file",
    },
  ),
  control: optionalBoolean(
    "Opens a socket in `stateDir`, for its owner only, by which `fanfare reload`, `status` and `stats` reach the process. `fanfare serve` opens it unless this is false, programs only where it is true.",
  ),
  activityTimeoutS: seconds(
    "Silence after which either side asks whether the other is there, in seconds: half of the 60 s after which nginx and most other proxies cut what is silent.",
    30,
    0.05,
  ),
  pongTimeoutS: seconds("Time the answer to that may take, in seconds.", 30, 0.01),
  drainTimeoutS: seconds("Time clients have to leave when the server stops, in seconds.", 5, 0),
  drainDelayS: seconds(
    "Time before that in which the server goes on as before but `/ready` answers 503, so that load balancers stop sending clients, in seconds.",
    0,
    0,
  ),
  drainSpreadS: optionalSeconds(
    "Time over which clients are told to leave, so that they do not all come back at once, in seconds; at most, and without it, half of `drainTimeoutS`.",
  ),
  signatureWindowS: seconds("How far the time in a signed API call may be off, in seconds.", 600, 1),
  trustedProxies: addresses(
    "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; the client is the right-most address that is none of them.",
  ),
  allowIps: addresses("The only addresses that may connect or call; empty for all. Others are answered 403."),
  denyIps: addresses("Addresses that may neither connect nor call, even if `allowIps` has them."),
  strictProtocol: boolean("Pusher clients that name no protocol version are refused (4008).", false),
  log,
  tls,
  tasks,
  database,
  statistics,
  webhooks,
  audit,
  metrics,
  tracing,
  dashboard,
  engine: oneOf(
    "What carries messages and knows who is where: this process's memory, or a Redis or NATS that several servers share.",
    ["memory", "redis", "nats"],
    "memory",
  ),
  redis,
  nats,
  nodeUrl: optionalText(
    "Where clients reach this server of a cluster, `wss://ws-1.example.com`: then it is among those that `/nodes` tells them to go to.",
    {
      pattern: /^(wss?|https?):\/\/[^\s/?#]+(\/[^\s?#]*)?$/,
      isUrl: true,
      expects: "an address that begins with ws://, wss://, http:// or https://",
    },
  ),
  nodeTimeoutS: seconds(
    "Silence after which the other servers of a cluster take one for dead, and its members for gone, in seconds; it takes up to two more until they are told.",
    6,
    0.5,
  ),
  publishWaitS: seconds(
    "Time a publication waits for an engine that is away before it is refused (503), in seconds.",
    5,
    0.1,
  ),
  publishWaitBytes: integer("Most bytes of publications that wait like that.", 67_108_864, 1024, 2 ** 32),
  compression: boolean(
    "Offers clients permessage-deflate, without memory between messages: for slow lines, at 15 µs of processor time for each reader of a frame of 2 KB. What a frame inflates to is bounded by `limits.frameBytes`.",
    false,
  ),
  controllers,
  limits: processLimits,
  defaults,
  apps: z
    .array(app)
    .default([])
    .register(settingInfo, {
      ...list,
      description: "The apps, each with its own keys, channels and limits.",
      expects: "a list of apps",
    }),
});

/** What a user writes: everything may be left out. */
export type ConfigInput = Unchanged<z.input<typeof schema>>;

type Unchanged<T> = T extends object ? { readonly [Key in keyof T]: Unchanged<T[Key]> } : T;

/** As parsed, before each app has taken its defaults. */
export type Settings = z.output<typeof schema>;
export type AppSettings = Settings["apps"][number];
export type TokenSettings = NonNullable<AppSettings["token"]>;

/** What every app takes unless it says otherwise. */
export type AppDefaults = Omit<App, "id" | "key" | "secrets" | "name" | "enabled" | "token" | "webhooks">;

/** Every setting with its value. */
export type Config = Readonly<Omit<Settings, "apps" | "defaults">> & {
  readonly defaults: AppDefaults;
  readonly apps: readonly App[];
};
