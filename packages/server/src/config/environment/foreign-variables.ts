/** The environment variables of other servers: which setting each stands for, and which are not read and why. One table. */

import { parseBoolean, parseNumber } from "../parse-value.ts";
import { settingsByPath } from "../settings.ts";
import {
  adapter,
  type Conversion,
  debugLevel,
  fromMembers,
  hosts,
  kilobytes,
  logChannel,
  megabytes,
  metricsPrefix,
  milliseconds,
  nodeEnv,
  opposite,
  otlp,
  otlpProtocol,
  pairs,
  pathPrefix,
  production,
  scaling,
  soketiWebhooks,
  unlimited,
  words,
} from "./conversions.ts";

export interface ForeignVariable {
  readonly name: string;
  /** The setting's path; `apps[].…` is of the app that the environment makes. */
  readonly path: string;
  readonly conversion?: Conversion;
  /** What the documentation says besides. */
  readonly note?: string;
  /** Other programs use it as well, or another name is meant to take its place: it counts only where no other variable sets the setting, and contradicts none. */
  readonly isShared?: true;
}

/** Servers that share a set of names. */
export interface ForeignServer {
  readonly title: string;
  readonly variables: readonly ForeignVariable[];
  /** The three variables that make an app. */
  readonly app?: AppNames;
}

export interface AppNames {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** Switches TLS as a whole, which no setting does. */
export const TLS_SWITCH = "WEBSOCKET_SSL";
/** The certificate's file holds its key as well, unless another is named. */
export const CERTIFICATE_WITH_KEY = "LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT";
/** Every Laravel application has it: alone it asks for nothing. */
export const COMMON_NAME = "APP_NAME";
/** Of hosting platforms. In a `.env` it is the web application's. */
export const PLATFORM_PORT = "PORT";

export const PUSHER: AppNames = appNames("PUSHER_APP");
const REVERB = appNames("REVERB_APP");
const SOKETI = appNames("SOKETI_DEFAULT_APP");
const SOCKUDO = appNames("SOCKUDO_DEFAULT_APP");

/** Greater than any rate, and a whole number as the setting takes it. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export const foreignServers: readonly ForeignServer[] = [
  {
    title: "Pusher back ends and laravel-websockets",
    app: PUSHER,
    variables: table({
      ...credentials(PUSHER),
      PUSHER_APP_NAME: "apps[].name",
      [COMMON_NAME]: ["apps[].name", { note: "only beside the three that make the app" }],
      LARAVEL_WEBSOCKETS_PORT: "port",
      WEBSOCKETS_REPLICATION_MODE: ["engine", adapter],
      LARAVEL_WEBSOCKETS_PATH: ["dashboard.path", pathPrefix],
      [CERTIFICATE_WITH_KEY]: ["tls.certFile", { note: "holds the key too, unless one of its own is named" }],
      LARAVEL_WEBSOCKETS_SSL_LOCAL_PK: "tls.keyFile",
      LARAVEL_WEBSOCKETS_SSL_PASSPHRASE: "tls.passphrase",
    }),
  },
  {
    title: "Alphavel, Sentixtech and Ody",
    variables: table({
      WEBSOCKET_ENABLED: "enabled",
      WEBSOCKET_HOST: "host",
      WEBSOCKET_PORT: "port",
      WEBSOCKET_WORKERS: "workers",
      WEBSOCKET_WORKER_COUNT: "workers",
      WEBSOCKET_MAX_CLIENTS: "limits.connections",
      WEBSOCKET_PING_INTERVAL: ["activityTimeoutS", { note: "seconds as well" }],
      WEBSOCKET_DEBUG: ["log.level", debugLevel],
      WEBSOCKET_LOG_CHANNEL: ["log.rotate", logChannel],
      WEBSOCKET_ERROR_LOG: "log.errorFile",
      WEBSOCKET_AUTH_ENABLED: ["defaults.anonymous", opposite],
      WEBSOCKET_SSL_CERT: "tls.certFile",
      WEBSOCKET_SSL_CERT_PATH: "tls.certFile",
      WEBSOCKET_SSL_KEY: "tls.keyFile",
      WEBSOCKET_SSL_KEY_PATH: "tls.keyFile",
      WEBSOCKET_SECRET_KEY: [
        "apps[].token.secret",
        { note: "signs the tokens that clients bring; Ody's clients sent it themselves, so take a new one" },
      ],
    }),
  },
  {
    title: "Laravel Reverb",
    app: REVERB,
    variables: table({
      ...credentials(REVERB),
      REVERB_APP_MAX_CONNECTIONS: "apps[].limits.connections",
      REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM: ["apps[].clientEvents", fromMembers],
      REVERB_APP_MAX_MESSAGE_SIZE: ["limits.frameBytes", { note: "bytes as well" }],
      REVERB_APP_ACTIVITY_TIMEOUT: ["activityTimeoutS", { note: "seconds as well" }],
      REVERB_SERVER_HOST: "host",
      REVERB_SERVER_PORT: "port",
      REVERB_SERVER_PATH: ["path", pathPrefix],
      REVERB_MAX_REQUEST_SIZE: ["limits.httpBodyBytes", { note: "bytes as well" }],
      REVERB_ALLOWED_ORIGINS: ["defaults.allowedOrigins", words],
      REVERB_SCALING_ENABLED: ["engine", { conversion: scaling, note: "Redis as `REDIS_…` says" }],
      REVERB_SCALING_CHANNEL: "redis.prefix",
    }),
  },
  {
    title: "soketi",
    app: SOKETI,
    variables: table({
      ...credentials(SOKETI),
      SOKETI_DEFAULT_APP_ENABLED: "apps[].enabled",
      SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES: "apps[].clientEvents",
      SOKETI_DEFAULT_APP_USER_AUTHENTICATION: "apps[].requireAuthentication",
      SOKETI_DEFAULT_APP_MAX_CONNS: ["apps[].limits.connections", unlimited("unlimited")],
      SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC: ["apps[].limits.clientEventsPerSecond", unlimited(NO_LIMIT)],
      SOKETI_DEFAULT_APP_WEBHOOKS: ["apps[].webhooks", soketiWebhooks],
      SOKETI_HOST: "host",
      SOKETI_PORT: "port",
      SOKETI_PATH_PREFIX: ["path", pathPrefix],
      SOKETI_DEBUG: ["log.level", debugLevel],
      SOKETI_SHUTDOWN_GRACE_PERIOD: ["drainTimeoutS", milliseconds],
      SOKETI_USER_AUTHENTICATION_TIMEOUT: ["defaults.limits.unauthenticatedTimeoutS", milliseconds],
      SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH: "defaults.limits.channelNameLength",
      SOKETI_EVENT_MAX_NAME_LENGTH: "defaults.limits.eventNameLength",
      SOKETI_EVENT_MAX_SIZE_IN_KB: ["defaults.limits.eventDataBytes", kilobytes],
      SOKETI_EVENT_MAX_CHANNELS_AT_ONCE: "defaults.limits.channelsPerTrigger",
      SOKETI_EVENT_MAX_BATCH_SIZE: "defaults.limits.batchSize",
      SOKETI_PRESENCE_MAX_MEMBERS: "defaults.limits.presenceMembers",
      SOKETI_PRESENCE_MAX_MEMBER_SIZE: ["defaults.limits.memberDataBytes", kilobytes],
      SOKETI_SSL_CERT: "tls.certFile",
      SOKETI_SSL_KEY: "tls.keyFile",
      SOKETI_SSL_PASS: "tls.passphrase",
      SOKETI_SSL_CA: "tls.caFile",
      SOKETI_HTTP_MAX_REQUEST_SIZE: ["limits.httpBodyBytes", megabytes],
      SOKETI_METRICS_ENABLED: "metrics.enabled",
      SOKETI_METRICS_PROMETHEUS_PREFIX: ["metrics.soketiNames", metricsPrefix],
      SOKETI_ADAPTER_DRIVER: ["engine", adapter],
      SOKETI_ADAPTER_REDIS_PREFIX: "redis.prefix",
      SOKETI_DB_REDIS_HOST: "redis.host",
      SOKETI_DB_REDIS_PORT: "redis.port",
      SOKETI_DB_REDIS_DB: "redis.db",
      SOKETI_DB_REDIS_USERNAME: "redis.username",
      SOKETI_DB_REDIS_PASSWORD: "redis.password",
      SOKETI_DB_REDIS_KEY_PREFIX: ["redis.prefix", { isShared: true }],
      SOKETI_DB_REDIS_CLUSTER_NODES: ["redis.cluster", hosts],
      SOKETI_DB_REDIS_SENTINELS: ["redis.sentinels", hosts],
      SOKETI_DB_REDIS_SENTINEL_PASSWORD: "redis.sentinelPassword",
      SOKETI_DB_REDIS_INSTANCE_NAME: "redis.sentinelMaster",
      SOKETI_ADAPTER_NATS_SERVERS: ["nats.servers", words],
      SOKETI_ADAPTER_NATS_USER: "nats.user",
      SOKETI_ADAPTER_NATS_PASSWORD: "nats.password",
      SOKETI_ADAPTER_NATS_TOKEN: "nats.token",
      SOKETI_ADAPTER_NATS_PREFIX: "nats.prefix",
      SOKETI_ADAPTER_NATS_TIMEOUT: ["nats.connectTimeoutS", milliseconds],
      SOKETI_ADAPTER_NATS_REQUESTS_TIMEOUT: ["nats.requestTimeoutS", milliseconds],
    }),
  },
  {
    title: "Sockudo",
    app: SOCKUDO,
    variables: table({
      ...credentials(SOCKUDO),
      SOCKUDO_DEFAULT_APP_ENABLED: "apps[].enabled",
      SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES: "apps[].clientEvents",
      SOCKUDO_ENABLE_CLIENT_MESSAGES: ["apps[].clientEvents", { isShared: true }],
      SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTICATION: "apps[].requireAuthentication",
      SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS: ["apps[].allowedOrigins", words],
      SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS: "apps[].limits.connections",
      SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND: "apps[].limits.clientEventsPerSecond",
      SOCKUDO_DEFAULT_APP_MAX_PRESENCE_MEMBERS_PER_CHANNEL: "apps[].limits.presenceMembers",
      SOCKUDO_DEFAULT_APP_MAX_PRESENCE_MEMBER_SIZE_IN_KB: ["apps[].limits.memberDataBytes", kilobytes],
      SOCKUDO_DEFAULT_APP_MAX_CHANNEL_NAME_LENGTH: "apps[].limits.channelNameLength",
      SOCKUDO_DEFAULT_APP_MAX_EVENT_NAME_LENGTH: "apps[].limits.eventNameLength",
      SOCKUDO_DEFAULT_APP_MAX_EVENT_PAYLOAD_IN_KB: ["apps[].limits.eventDataBytes", kilobytes],
      SOCKUDO_DEFAULT_APP_MAX_EVENT_CHANNELS_AT_ONCE: "apps[].limits.channelsPerTrigger",
      SOCKUDO_DEFAULT_APP_MAX_EVENT_BATCH_SIZE: "apps[].limits.batchSize",
      SOCKUDO_MAX_CONNECTIONS: "limits.connections",
    }),
  },
  {
    title: "Redis, as Laravel writes it",
    variables: shared({
      REDIS_URL: "redis.url",
      REDIS_HOST: ["redis.host", { note: "may begin with `tls://`, `tcp://` or `unix://`" }],
      REDIS_PORT: "redis.port",
      REDIS_USERNAME: "redis.username",
      REDIS_PASSWORD: "redis.password",
      REDIS_DB: "redis.db",
    }),
  },
  {
    title: "OpenTelemetry",
    variables: shared({
      OTEL_SDK_DISABLED: ["telemetry.enabled", opposite],
      OTEL_EXPORTER_OTLP_ENDPOINT: "telemetry.endpoint",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "telemetry.tracesEndpoint",
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "telemetry.metricsEndpoint",
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "telemetry.logsEndpoint",
      OTEL_EXPORTER_OTLP_HEADERS: ["telemetry.headers", pairs],
      OTEL_EXPORTER_OTLP_PROTOCOL: ["telemetry.protocol", otlpProtocol],
      OTEL_EXPORTER_OTLP_TIMEOUT: ["telemetry.timeoutS", milliseconds],
      OTEL_SERVICE_NAME: "telemetry.serviceName",
      OTEL_RESOURCE_ATTRIBUTES: ["telemetry.resource", pairs],
      OTEL_TRACES_SAMPLER: "telemetry.sampler",
      OTEL_TRACES_SAMPLER_ARG: "telemetry.sampleRatio",
      OTEL_TRACES_EXPORTER: ["telemetry.traces", otlp],
      OTEL_METRICS_EXPORTER: ["telemetry.metrics", otlp],
      OTEL_LOGS_EXPORTER: ["telemetry.logs", otlp],
      OTEL_METRIC_EXPORT_INTERVAL: ["telemetry.metricsIntervalS", milliseconds],
    }),
  },
  {
    title: "Where it runs",
    variables: table({
      [PLATFORM_PORT]: [
        "port",
        { isShared: true, note: "only from the process's environment: in a `.env` it is the web application's" },
      ],
      NODE_ENV: ["mode", nodeEnv],
      APP_ENV: ["mode", { isShared: true, conversion: production }],
    }),
  },
];

export const foreignVariables: readonly ForeignVariable[] = foreignServers.flatMap(({ variables }) => variables);

export interface IgnoredVariables {
  readonly names: readonly string[];
  readonly why: string;
  /** Whether such a value asks for something that Fanfare does not do, and is worth a warning; without it, none does. */
  readonly isMissed?: (text: string, variable: (name: string) => string | undefined) => boolean;
}

const isAny = () => true;
const isOn = (text: string) => parseBoolean(text) === true;

export const ignoredVariables: readonly IgnoredVariables[] = [
  {
    names: [
      "PUSHER_HOST",
      "PUSHER_PORT",
      "PUSHER_SCHEME",
      "PUSHER_APP_CLUSTER",
      "REVERB_HOST",
      "REVERB_PORT",
      "REVERB_SCHEME",
      "LARAVEL_WEBSOCKETS_HOST",
    ],
    why: "They tell back ends and pages where to find the server. Where it listens is `host` and `port`.",
  },
  {
    names: ["REVERB_APP_PING_INTERVAL"],
    why: "The server pings silent clients when they would ping it, after `activityTimeoutS`, which comes from `REVERB_APP_ACTIVITY_TIMEOUT`.",
    isMissed: (text, variable) =>
      (parseNumber(text) ?? 0) <
      Number(variable("REVERB_APP_ACTIVITY_TIMEOUT") ?? settingsByPath.get("activityTimeoutS")?.defaultValue),
  },
  {
    names: ["REVERB_APP_RATE_LIMITING_ENABLED"],
    why: "Rates are counted per second: `clientEventsPerSecond` and `framesPerSecond` of the app's `limits`.",
    isMissed: isOn,
  },
  {
    names: [
      "REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS",
      "REVERB_APP_RATE_LIMIT_DECAY_SECONDS",
      "REVERB_APP_RATE_LIMIT_TERMINATE",
    ],
    why: "As `REVERB_APP_RATE_LIMITING_ENABLED`, without which they have no effect.",
  },
  {
    names: ["SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC", "SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC"],
    why: "One limit counts all calls of the HTTP API: `apiRequestsPerSecond` of the app's `limits`.",
    isMissed: (text) => parseNumber(text) !== -1,
  },
  {
    names: ["SOKETI_CHANNEL_CACHE_TTL"],
    why: "How long cache channels keep their event is set by a channel rule: `cacheTtlS`.",
    isMissed: isAny,
  },
  {
    names: ["SOKETI_MODE"],
    why: "There are no processes for webhooks alone: each server sends its own.",
    isMissed: (text) => text !== "full",
  },
  {
    names: ["SOKETI_CORS_ALLOWED_ORIGINS"],
    why: "The HTTP API is for back ends. Which pages may connect is set by `allowedOrigins`.",
    isMissed: (text) => !/^(\["\*"\]|\*)$/.test(text.trim()),
  },
  {
    names: ["SOKETI_APP_MANAGER_DRIVER"],
    why: "Apps are those of the configuration and of `database.url`, whose tables are Fanfare's own: bring them over with `fanfare apps add`.",
    isMissed: (text) => text !== "array",
  },
  {
    names: ["SOKETI_ADAPTER_REDIS_CLUSTER_MODE"],
    why: "`redis.cluster`, the list of nodes, switches it on.",
    isMissed: (text, variable) => isOn(text) && variable("SOKETI_DB_REDIS_CLUSTER_NODES") === undefined,
  },
  {
    names: ["SOKETI_METRICS_SERVER_PORT"],
    why: "`/metrics` is on the server's own port; `metrics.allowIps` and `metrics.token` limit who may read it.",
    isMissed: isAny,
  },
  { names: ["SOKETI_WEBHOOKS_BATCHING"], why: "Each webhook has its own setting: `batch`.", isMissed: isOn },
  {
    names: ["SOCKUDO_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SECOND", "SOCKUDO_DEFAULT_APP_MAX_READ_REQUESTS_PER_SECOND"],
    why: "One limit counts all calls of the HTTP API: `apiRequestsPerSecond` of the app's `limits`.",
    isMissed: isAny,
  },
  {
    names: ["SOCKUDO_DEFAULT_APP_ENABLE_WATCHLIST_EVENTS"],
    why: "Watchlists are always on: a user has one if the back end signs it in with one.",
  },
  {
    names: ["SOCKUDO_SERVER_ROLE"],
    why: "There are no processes for the HTTP API alone: each server answers it.",
    isMissed: (text) => text !== "default",
  },
];

/** The setting's path, perhaps with what its values become, or with all there is to say. */
type Row = string | readonly [path: string, more: Conversion | Omit<ForeignVariable, "name" | "path">];

function table(rows: Readonly<Record<string, Row>>): ForeignVariable[] {
  return Object.entries(rows).map(([name, row]) => {
    const [path, more = {}] = typeof row === "string" ? [row] : row;
    return { name, path, ...("parse" in more ? { conversion: more } : more) };
  });
}

function shared(rows: Readonly<Record<string, Row>>): ForeignVariable[] {
  return table(rows).map((variable) => ({ ...variable, isShared: true }));
}

function appNames(prefix: string): AppNames {
  return { id: `${prefix}_ID`, key: `${prefix}_KEY`, secret: `${prefix}_SECRET` };
}

function credentials({ id, key, secret }: AppNames): Readonly<Record<string, Row>> {
  return { [id]: "apps[].id", [key]: "apps[].key", [secret]: "apps[].secret" };
}
