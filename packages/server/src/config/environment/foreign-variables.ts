/** The names that other servers gave to what are settings here, so that an environment written for one of them goes on working. */

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
  opposite,
  orNone,
  prefix,
  production,
  scaling,
  soketiWebhooks,
  words,
} from "./conversions.ts";

export interface ForeignVariable {
  readonly name: string;
  /** The setting's path; `apps[].…` is of the app that the environment makes. */
  readonly path: string;
  readonly conversion?: Conversion;
  /** What the documentation says beside that. */
  readonly note?: string;
}

/** The servers that share a set of names. */
export interface Family {
  readonly of: string;
  readonly aliases: readonly ForeignVariable[];
  /** How the three variables are called that make an app. */
  readonly app: AppNames;
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
/** So common that alone it asks for nothing. */
export const COMMON_NAME = "APP_NAME";

/** Greater than any rate, and a whole number as the setting takes it. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const PUSHER: AppNames = { id: "PUSHER_APP_ID", key: "PUSHER_APP_KEY", secret: "PUSHER_APP_SECRET" };
const REVERB: AppNames = { id: "REVERB_APP_ID", key: "REVERB_APP_KEY", secret: "REVERB_APP_SECRET" };
const SOKETI: AppNames = {
  id: "SOKETI_DEFAULT_APP_ID",
  key: "SOKETI_DEFAULT_APP_KEY",
  secret: "SOKETI_DEFAULT_APP_SECRET",
};

export const families: readonly [Family, ...Family[]] = [
  {
    of: "Pusher back ends and laravel-websockets",
    app: PUSHER,
    aliases: [
      ...appAliases(PUSHER),
      { name: "PUSHER_APP_NAME", path: "apps[].name" },
      { name: COMMON_NAME, path: "apps[].name", note: "only beside the three that make the app" },
      { name: "LARAVEL_WEBSOCKETS_PORT", path: "port" },
      { name: "WEBSOCKETS_REPLICATION_MODE", path: "engine", conversion: adapter },
      { name: "LARAVEL_WEBSOCKETS_PATH", path: "dashboard.path", conversion: prefix },
      { name: CERTIFICATE_WITH_KEY, path: "tls.certFile", note: "holds the key too, unless one of its own is named" },
      { name: "LARAVEL_WEBSOCKETS_SSL_LOCAL_PK", path: "tls.keyFile" },
      { name: "LARAVEL_WEBSOCKETS_SSL_PASSPHRASE", path: "tls.passphrase" },
    ],
  },
  {
    of: "Alphavel, Sentixtech and Ody",
    app: PUSHER,
    aliases: [
      { name: "WEBSOCKET_ENABLED", path: "enabled" },
      { name: "WEBSOCKET_HOST", path: "host" },
      { name: "WEBSOCKET_PORT", path: "port" },
      { name: "WEBSOCKET_WORKERS", path: "workers" },
      { name: "WEBSOCKET_WORKER_COUNT", path: "workers" },
      { name: "WEBSOCKET_MAX_CLIENTS", path: "limits.connections" },
      { name: "WEBSOCKET_PING_INTERVAL", path: "activityTimeoutS", note: "seconds as well" },
      { name: "WEBSOCKET_DEBUG", path: "log.level", conversion: debugLevel },
      { name: "WEBSOCKET_LOG_CHANNEL", path: "log.rotate", conversion: logChannel },
      { name: "WEBSOCKET_ERROR_LOG", path: "log.errorFile" },
      { name: "WEBSOCKET_AUTH_ENABLED", path: "defaults.anonymous", conversion: opposite },
      { name: "WEBSOCKET_SSL_CERT", path: "tls.certFile" },
      { name: "WEBSOCKET_SSL_CERT_PATH", path: "tls.certFile" },
      { name: "WEBSOCKET_SSL_KEY", path: "tls.keyFile" },
      { name: "WEBSOCKET_SSL_KEY_PATH", path: "tls.keyFile" },
      {
        name: "WEBSOCKET_SECRET_KEY",
        path: "apps[].token.secret",
        note: "signs the tokens that clients bring; Ody's clients sent it themselves, so take a new one",
      },
    ],
  },
  {
    of: "Laravel Reverb",
    app: REVERB,
    aliases: [
      ...appAliases(REVERB),
      { name: "REVERB_APP_MAX_CONNECTIONS", path: "apps[].limits.connections" },
      { name: "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", path: "apps[].clientEvents", conversion: fromMembers },
      { name: "REVERB_APP_MAX_MESSAGE_SIZE", path: "limits.frameBytes", note: "bytes as well" },
      { name: "REVERB_APP_ACTIVITY_TIMEOUT", path: "activityTimeoutS", note: "seconds as well" },
      { name: "REVERB_SERVER_HOST", path: "host" },
      { name: "REVERB_SERVER_PORT", path: "port" },
      { name: "REVERB_SERVER_PATH", path: "path", conversion: prefix },
      { name: "REVERB_MAX_REQUEST_SIZE", path: "limits.httpBodyBytes", note: "bytes as well" },
      { name: "REVERB_ALLOWED_ORIGINS", path: "defaults.allowedOrigins", conversion: words },
      { name: "REVERB_SCALING_ENABLED", path: "engine", conversion: scaling, note: "Redis as `REDIS_…` says" },
      { name: "REVERB_SCALING_CHANNEL", path: "redis.prefix" },
    ],
  },
  {
    of: "soketi",
    app: SOKETI,
    aliases: [
      ...appAliases(SOKETI),
      { name: "SOKETI_DEFAULT_APP_ENABLED", path: "apps[].enabled" },
      { name: "SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", path: "apps[].clientEvents" },
      { name: "SOKETI_DEFAULT_APP_USER_AUTHENTICATION", path: "apps[].requireAuthentication" },
      { name: "SOKETI_DEFAULT_APP_MAX_CONNS", path: "apps[].limits.connections", conversion: orNone("unlimited") },
      {
        name: "SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC",
        path: "apps[].limits.clientEventsPerSecond",
        conversion: orNone(NO_LIMIT),
      },
      { name: "SOKETI_DEFAULT_APP_WEBHOOKS", path: "apps[].webhooks", conversion: soketiWebhooks },
      { name: "SOKETI_HOST", path: "host" },
      { name: "SOKETI_PORT", path: "port" },
      { name: "SOKETI_PATH_PREFIX", path: "path", conversion: prefix },
      { name: "SOKETI_DEBUG", path: "log.level", conversion: debugLevel },
      { name: "SOKETI_SHUTDOWN_GRACE_PERIOD", path: "drainTimeoutS", conversion: milliseconds },
      {
        name: "SOKETI_USER_AUTHENTICATION_TIMEOUT",
        path: "defaults.limits.unauthenticatedTimeoutS",
        conversion: milliseconds,
      },
      { name: "SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH", path: "defaults.limits.channelNameLength" },
      { name: "SOKETI_EVENT_MAX_NAME_LENGTH", path: "defaults.limits.eventNameLength" },
      { name: "SOKETI_EVENT_MAX_SIZE_IN_KB", path: "defaults.limits.eventDataBytes", conversion: kilobytes },
      { name: "SOKETI_EVENT_MAX_CHANNELS_AT_ONCE", path: "defaults.limits.channelsPerTrigger" },
      { name: "SOKETI_EVENT_MAX_BATCH_SIZE", path: "defaults.limits.batchSize" },
      { name: "SOKETI_PRESENCE_MAX_MEMBERS", path: "defaults.limits.presenceMembers" },
      { name: "SOKETI_PRESENCE_MAX_MEMBER_SIZE", path: "defaults.limits.memberDataBytes", conversion: kilobytes },
      { name: "SOKETI_SSL_CERT", path: "tls.certFile" },
      { name: "SOKETI_SSL_KEY", path: "tls.keyFile" },
      { name: "SOKETI_SSL_PASS", path: "tls.passphrase" },
      { name: "SOKETI_SSL_CA", path: "tls.caFile" },
      { name: "SOKETI_HTTP_MAX_REQUEST_SIZE", path: "limits.httpBodyBytes", conversion: megabytes },
      { name: "SOKETI_METRICS_ENABLED", path: "metrics.enabled" },
      { name: "SOKETI_METRICS_PROMETHEUS_PREFIX", path: "metrics.soketiNames", conversion: metricsPrefix },
      { name: "SOKETI_ADAPTER_DRIVER", path: "engine", conversion: adapter },
      { name: "SOKETI_ADAPTER_REDIS_PREFIX", path: "redis.prefix" },
      { name: "SOKETI_DB_REDIS_HOST", path: "redis.host" },
      { name: "SOKETI_DB_REDIS_PORT", path: "redis.port" },
      { name: "SOKETI_DB_REDIS_DB", path: "redis.db" },
      { name: "SOKETI_DB_REDIS_USERNAME", path: "redis.username" },
      { name: "SOKETI_DB_REDIS_PASSWORD", path: "redis.password" },
      { name: "SOKETI_DB_REDIS_KEY_PREFIX", path: "redis.prefix" },
      { name: "SOKETI_DB_REDIS_CLUSTER_NODES", path: "redis.cluster", conversion: hosts },
      { name: "SOKETI_DB_REDIS_SENTINELS", path: "redis.sentinels", conversion: hosts },
      { name: "SOKETI_DB_REDIS_SENTINEL_PASSWORD", path: "redis.sentinelPassword" },
      { name: "SOKETI_DB_REDIS_INSTANCE_NAME", path: "redis.sentinelMaster" },
      { name: "SOKETI_ADAPTER_NATS_SERVERS", path: "nats.servers", conversion: words },
      { name: "SOKETI_ADAPTER_NATS_USER", path: "nats.user" },
      { name: "SOKETI_ADAPTER_NATS_PASSWORD", path: "nats.password" },
      { name: "SOKETI_ADAPTER_NATS_TOKEN", path: "nats.token" },
      { name: "SOKETI_ADAPTER_NATS_PREFIX", path: "nats.prefix" },
      { name: "SOKETI_ADAPTER_NATS_TIMEOUT", path: "nats.connectTimeoutS", conversion: milliseconds },
      { name: "SOKETI_ADAPTER_NATS_REQUESTS_TIMEOUT", path: "nats.requestTimeoutS", conversion: milliseconds },
    ],
  },
];

/** Of no server: of where it runs. They count where nothing else is said. */
export const platformVariables: readonly ForeignVariable[] = [
  { name: "PORT", path: "port", note: "only from the process's environment: in a `.env` it is the web application's" },
  { name: "APP_ENV", path: "mode", conversion: production },
];

export const foreignVariables: readonly ForeignVariable[] = [
  ...families.flatMap((family) => family.aliases),
  ...platformVariables,
];

function appAliases(names: AppNames): ForeignVariable[] {
  return Object.entries(names).map(([field, name]) => ({ name, path: `apps[].${field}` }));
}
