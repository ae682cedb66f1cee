/** The names of other servers in the environment: what each sets, and what is said when two of them disagree. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  foreignServers,
  foreignVariables,
  ignoredVariables,
  TLS_SWITCH,
} from "../../packages/server/src/config/environment/foreign-variables.ts";
import { ConfigError, type Loaded, loadConfig } from "../../packages/server/src/config/load.ts";
import { settings } from "../../packages/server/src/config/settings.ts";
import { DOCUMENT } from "../../scripts/config-docs.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

type Env = Readonly<Record<string, string>>;

const cwd = temporaryFolder();
for (const name of ["a.pem", "b.pem"]) writeFileSync(join(cwd, name), "PEM");
const nobodys = { PUSHER_APP_ID: "1", PUSHER_APP_KEY: "k", PUSHER_APP_SECRET: "s" };

async function load(env: Env, file: object = {}): Promise<Loaded> {
  writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify(file));
  return loadConfig({ cwd, env });
}

async function refusal(env: Env, file: object = {}): Promise<string> {
  return load(env, file).then(
    () => "accepted",
    (error: unknown) => {
      if (error instanceof ConfigError) return error.message;
      throw error;
    },
  );
}

/** The value at a setting's path; `apps[]` is the first app. */
function at({ config }: Loaded, path: string): unknown {
  const steps = path.replace("apps[].secret", "apps[].secrets.0").replace("[]", ".0").split(".");
  return steps.reduce<unknown>((value, key) => {
    if (typeof value !== "object" || value === null) return undefined;
    return Object.getOwnPropertyDescriptor(value, key)?.value;
  }, config);
}

const certificate = { FANFARE_TLS_CERT_FILE: "a.pem", FANFARE_TLS_KEY_FILE: "a.pem" };
const beside = (name: string, more: Env): Env =>
  Object.fromEntries(Object.entries(more).filter(([other]) => pathOf(other) !== pathOf(name)));
const pathOf = (name: string) =>
  foreignVariables.find((alias) => alias.name === name)?.path ?? settings.find(({ env }) => env === name)?.path;

/** Text as it stands in the environment, and the value that it becomes. */
const rows: readonly (readonly [name: string, text: string, value: unknown])[] = [
  ["WEBSOCKET_ENABLED", "false", false],
  ["WEBSOCKET_HOST", "127.0.0.1", "127.0.0.1"],
  ["WEBSOCKET_PORT", "8080", 8080],
  ["WEBSOCKET_WORKERS", "1", 1],
  ["WEBSOCKET_WORKER_COUNT", "1", 1],
  ["WEBSOCKET_MAX_CLIENTS", "1000", 1000],
  ["WEBSOCKET_PING_INTERVAL", "30", 30],
  ["WEBSOCKET_DEBUG", "true", "debug"],
  ["WEBSOCKET_DEBUG", "false", "info"],
  ["WEBSOCKET_LOG_CHANNEL", "daily", "daily"],
  ["WEBSOCKET_LOG_CHANNEL", "single", "none"],
  ["WEBSOCKET_LOG_CHANNEL", "stack", "daily"],
  ["WEBSOCKET_ERROR_LOG", "logs/errors.log", "logs/errors.log"],
  ["WEBSOCKET_AUTH_ENABLED", "true", false],
  ["WEBSOCKET_AUTH_ENABLED", "false", true],
  ["WEBSOCKET_SSL_CERT", "b.pem", "b.pem"],
  ["WEBSOCKET_SSL_CERT_PATH", "b.pem", "b.pem"],
  ["WEBSOCKET_SSL_KEY", "b.pem", "b.pem"],
  ["WEBSOCKET_SSL_KEY_PATH", "b.pem", "b.pem"],
  ["WEBSOCKET_SECRET_KEY", "hush", "hush"],
  ["PUSHER_APP_ID", "shop", "shop"],
  ["PUSHER_APP_KEY", "shop-key", "shop-key"],
  ["PUSHER_APP_SECRET", "hush", "hush"],
  ["PUSHER_APP_NAME", "Shop", "Shop"],
  ["APP_NAME", "Shop", "Shop"],
  ["LARAVEL_WEBSOCKETS_PORT", "6001", 6001],
  ["LARAVEL_WEBSOCKETS_PATH", "laravel-websockets", "/laravel-websockets"],
  ["LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT", "b.pem", "b.pem"],
  ["LARAVEL_WEBSOCKETS_SSL_LOCAL_PK", "b.pem", "b.pem"],
  ["LARAVEL_WEBSOCKETS_SSL_PASSPHRASE", "hush", "hush"],
  ["REVERB_APP_ID", "shop", "shop"],
  ["REVERB_APP_KEY", "shop-key", "shop-key"],
  ["REVERB_APP_SECRET", "hush", "hush"],
  ["REVERB_APP_MAX_CONNECTIONS", "50", 50],
  ["REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "members", true],
  ["REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "none", false],
  ["REVERB_APP_MAX_MESSAGE_SIZE", "10000", 10_000],
  ["REVERB_APP_ACTIVITY_TIMEOUT", "45", 45],
  ["REVERB_SERVER_HOST", "127.0.0.1", "127.0.0.1"],
  ["REVERB_SERVER_PORT", "8080", 8080],
  ["REVERB_SERVER_PATH", "ws", "/ws"],
  ["REVERB_MAX_REQUEST_SIZE", "10000", 10_000],
  ["SOKETI_DEFAULT_APP_ID", "shop", "shop"],
  ["SOKETI_DEFAULT_APP_KEY", "shop-key", "shop-key"],
  ["SOKETI_DEFAULT_APP_SECRET", "hush", "hush"],
  ["SOKETI_DEFAULT_APP_ENABLED", "0", false],
  ["SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "1", true],
  ["SOKETI_DEFAULT_APP_USER_AUTHENTICATION", "true", true],
  ["SOKETI_DEFAULT_APP_MAX_CONNS", "-1", Number.POSITIVE_INFINITY],
  ["SOKETI_DEFAULT_APP_MAX_CONNS", "50", 50],
  ["SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC", "-1", Number.MAX_SAFE_INTEGER],
  ["SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC", "5", 5],
  ["SOCKUDO_DEFAULT_APP_ID", "shop", "shop"],
  ["SOCKUDO_DEFAULT_APP_KEY", "shop-key", "shop-key"],
  ["SOCKUDO_DEFAULT_APP_SECRET", "hush", "hush"],
  ["SOCKUDO_DEFAULT_APP_ENABLED", "no", false],
  ["SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "true", true],
  ["SOCKUDO_ENABLE_CLIENT_MESSAGES", "true", true],
  ["SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTICATION", "1", true],
  ["SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS", "https://a.example, *.b.example", ["https://a.example", "*.b.example"]],
  ["SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS", "50", 50],
  ["SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND", "5", 5],
  ["SOCKUDO_DEFAULT_APP_MAX_PRESENCE_MEMBERS_PER_CHANNEL", "5", 5],
  ["SOCKUDO_DEFAULT_APP_MAX_PRESENCE_MEMBER_SIZE_IN_KB", "2", 2048],
  ["SOCKUDO_DEFAULT_APP_MAX_CHANNEL_NAME_LENGTH", "100", 100],
  ["SOCKUDO_DEFAULT_APP_MAX_EVENT_NAME_LENGTH", "100", 100],
  ["SOCKUDO_DEFAULT_APP_MAX_EVENT_PAYLOAD_IN_KB", "0.5", 512],
  ["SOCKUDO_DEFAULT_APP_MAX_EVENT_CHANNELS_AT_ONCE", "5", 5],
  ["SOCKUDO_DEFAULT_APP_MAX_EVENT_BATCH_SIZE", "5", 5],
  ["SOCKUDO_MAX_CONNECTIONS", "500", 500],
  ["SOKETI_HOST", "127.0.0.1", "127.0.0.1"],
  ["SOKETI_PORT", "6001", 6001],
  ["SOKETI_PATH_PREFIX", "/ws/", "/ws"],
  ["SOKETI_PATH_PREFIX", "/", ""],
  ["SOKETI_DEBUG", "1", "debug"],
  ["SOKETI_SHUTDOWN_GRACE_PERIOD", "3500", 3.5],
  ["SOKETI_USER_AUTHENTICATION_TIMEOUT", "20000", 20],
  ["SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH", "100", 100],
  ["SOKETI_EVENT_MAX_NAME_LENGTH", "100", 100],
  ["SOKETI_EVENT_MAX_SIZE_IN_KB", "0.5", 512],
  ["SOKETI_EVENT_MAX_CHANNELS_AT_ONCE", "5", 5],
  ["SOKETI_EVENT_MAX_BATCH_SIZE", "5", 5],
  ["SOKETI_PRESENCE_MAX_MEMBERS", "5", 5],
  ["SOKETI_PRESENCE_MAX_MEMBER_SIZE", "2", 2048],
  ["SOKETI_SSL_CERT", "b.pem", "b.pem"],
  ["SOKETI_SSL_KEY", "b.pem", "b.pem"],
  ["SOKETI_SSL_PASS", "hush", "hush"],
  ["SOKETI_SSL_CA", "b.pem", "b.pem"],
  ["SOKETI_HTTP_MAX_REQUEST_SIZE", "2", 2_097_152],
  ["SOKETI_METRICS_ENABLED", "0", false],
  ["SOKETI_METRICS_PROMETHEUS_PREFIX", "soketi_", true],
  ["SOKETI_METRICS_PROMETHEUS_PREFIX", "shop_", false],
  ["SOKETI_ADAPTER_DRIVER", "redis", "redis"],
  ["SOKETI_ADAPTER_DRIVER", "nats", "nats"],
  ["SOKETI_ADAPTER_DRIVER", "local", "memory"],
  ["SOKETI_ADAPTER_DRIVER", "cluster", "memory"],
  ["SOKETI_ADAPTER_REDIS_PREFIX", "shop", "shop"],
  ["SOKETI_DB_REDIS_HOST", "redis.example", "redis.example"],
  ["SOKETI_DB_REDIS_PORT", "6380", 6380],
  ["SOKETI_DB_REDIS_DB", "2", 2],
  ["SOKETI_DB_REDIS_USERNAME", "shop", "shop"],
  ["SOKETI_DB_REDIS_PASSWORD", "hush", "hush"],
  ["SOKETI_DB_REDIS_KEY_PREFIX", "shop", "shop"],
  [
    "SOKETI_DB_REDIS_CLUSTER_NODES",
    '[{"host":"10.0.0.1","port":7000},{"host":"::1","port":7001}]',
    ["10.0.0.1:7000", "[::1]:7001"],
  ],
  ["SOKETI_DB_REDIS_SENTINELS", '[{"host":"10.0.0.1","port":26379}]', ["10.0.0.1:26379"]],
  ["SOKETI_DB_REDIS_SENTINEL_PASSWORD", "hush", "hush"],
  ["SOKETI_DB_REDIS_INSTANCE_NAME", "shop", "shop"],
  ["SOKETI_ADAPTER_NATS_SERVERS", '["10.0.0.1:4222","10.0.0.2:4222"]', ["10.0.0.1:4222", "10.0.0.2:4222"]],
  ["SOKETI_ADAPTER_NATS_SERVERS", "10.0.0.1:4222, 10.0.0.2:4222", ["10.0.0.1:4222", "10.0.0.2:4222"]],
  ["SOKETI_ADAPTER_NATS_USER", "shop", "shop"],
  ["SOKETI_ADAPTER_NATS_PASSWORD", "hush", "hush"],
  ["SOKETI_ADAPTER_NATS_TOKEN", "hush", "hush"],
  ["SOKETI_ADAPTER_NATS_PREFIX", "shop", "shop"],
  ["SOKETI_ADAPTER_NATS_TIMEOUT", "10000", 10],
  ["SOKETI_ADAPTER_NATS_REQUESTS_TIMEOUT", "2500", 2.5],
  [
    "SOKETI_DEFAULT_APP_WEBHOOKS",
    '[{"url":"https://a.example/h","event_types":["channel_occupied"],"filter":{"channel_name_starts_with":"p-"},"headers":{"x-a":"b"}}]',
    [
      {
        url: "https://a.example/h",
        events: ["channel_occupied"],
        channels: { prefix: "p-" },
        headers: { "x-a": "b" },
      },
    ],
  ],
  ["REVERB_ALLOWED_ORIGINS", "shop.example, *.shop.example", ["shop.example", "*.shop.example"]],
  ["REVERB_ALLOWED_ORIGINS", "*", ["*"]],
  ["REVERB_SCALING_ENABLED", "true", "redis"],
  ["REVERB_SCALING_ENABLED", "false", "memory"],
  ["REVERB_SCALING_CHANNEL", "reverb", "reverb"],
  ["WEBSOCKETS_REPLICATION_MODE", "redis", "redis"],
  ["PORT", "8080", 8080],
  ["APP_ENV", "production", "production"],
  ["APP_ENV", "staging", "development"],
  ["NODE_ENV", "production", "production"],
  ["NODE_ENV", "test", "development"],
  ["OTEL_SDK_DISABLED", "true", false],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "http://127.0.0.1:4318"],
  ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/t", "http://127.0.0.1:1/t"],
  ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:1/m", "http://127.0.0.1:1/m"],
  ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://127.0.0.1:1/l", "http://127.0.0.1:1/l"],
  ["OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%3Db, x-team=blue,", { "x-key": "a=b", "x-team": "blue" }],
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/json"],
  ["OTEL_EXPORTER_OTLP_TIMEOUT", "2500", 2.5],
  ["OTEL_SERVICE_NAME", "chat", "chat"],
  ["OTEL_RESOURCE_ATTRIBUTES", "a.b=c,d=", { "a.b": "c", d: "" }],
  ["OTEL_TRACES_SAMPLER", "parentbased_always_on", "parentbased_always_on"],
  ["OTEL_TRACES_SAMPLER_ARG", "0.25", 0.25],
  ["OTEL_TRACES_EXPORTER", "none", false],
  ["OTEL_METRICS_EXPORTER", "otlp", true],
  ["OTEL_LOGS_EXPORTER", "none", false],
  ["OTEL_METRIC_EXPORT_INTERVAL", "5000", 5],
  ["REDIS_URL", "redis://redis.example", "redis://redis.example"],
  ["REDIS_HOST", "redis.example", "redis.example"],
  ["REDIS_PORT", "6380", 6380],
  ["REDIS_USERNAME", "shop", "shop"],
  ["REDIS_PASSWORD", "hush", "hush"],
  ["REDIS_DB", "2", 2],
];

describe("the names of other servers (A11, A25, S38, S39, S41, O1, O3, O4, O7, B8, B14, B15)", () => {
  test.each(rows)("%s=%s becomes %p", async (name, text, value) => {
    const path = pathOf(name) ?? "";
    const env = {
      ...(path.startsWith("apps[]") ? beside(name, nobodys) : {}),
      ...(path.startsWith("tls") ? beside(name, certificate) : {}),
      [name]: text,
    };
    expect(at(await load(env), path)).toEqual(value);
  });

  test("have a row here each, a setting that there is, and a line in the documentation", async () => {
    const text = await Bun.file(DOCUMENT).text();
    const paths = settings.map(({ path }) => path);
    for (const { name, path } of foreignVariables) {
      expect(rows.map(([row]) => row)).toContain(name);
      if (!path.startsWith("apps[].")) expect(paths).toContain(path);
      expect(text).toContain(`| \`${name}\` | \`${path}\` |`);
    }
    expect(text).toContain(`| \`${TLS_SWITCH}\` |`);
    const names = [...foreignVariables.map(({ name }) => name), ...ignoredVariables.flatMap((one) => one.names)];
    expect(new Set(names).size).toBe(names.length);
    expect(foreignServers.flatMap(({ app }) => Object.values(app ?? {})).every((name) => names.includes(name))).toBe(
      true,
    );
  });

  test("are listed as obeyed only where they set something", async () => {
    const env = { NODE_ENV: "test", FANFARE_MODE: "production", REDIS_HOST: "a", SOKETI_DB_REDIS_HOST: "b" };
    expect((await load(env)).foreignVariables).toEqual([["SOKETI_DB_REDIS_HOST", "redis.host"]]);
  });

  test("are laid over the file, and under flags", async () => {
    expect(at(await load({ WEBSOCKET_PORT: "2" }, { port: 1 }), "port")).toBe(2);
    const { config, sources } = await loadConfig({ cwd, env: { WEBSOCKET_PORT: "2" }, flags: { port: "3" } });
    expect([config.port, sources.get("port")]).toEqual([3, "--port"]);
  });

  test("count as none where they are empty, or null as Laravel writes it", async () => {
    const env = Object.fromEntries(
      foreignVariables.map(({ name }, index) => [name, ["", "null", "(null)"][index % 3] ?? ""]),
    );
    expect((await load({ ...env, [TLS_SWITCH]: "" })).sources.size).toBe(0);
  });

  test("count as none where Kubernetes sets them for a Service of that name", async () => {
    const env = {
      SOKETI_PORT: "tcp://192.0.2.7:6001",
      WEBSOCKET_PORT: "tcp://192.0.2.7:80",
      SOKETI_PORT_6001_TCP: "x",
    };
    expect((await load(env)).config.port).toBe(9501);
  });

  test("may be set together where they say the same", async () => {
    const env = { FANFARE_PORT: "7", WEBSOCKET_PORT: "07", SOKETI_PORT: "7", WEBSOCKET_DEBUG: "1" };
    const { config } = await load({ ...env, FANFARE_LOG_LEVEL: "trace", SOKETI_DEBUG: "true" });
    expect([config.port, config.log.level]).toEqual([7, "trace"]);
    const quiet = await load({
      WEBSOCKET_DEBUG: "false",
      FANFARE_LOG_LEVEL: "warn",
      FANFARE_DRAIN_TIMEOUT_S: "3",
      SOKETI_SHUTDOWN_GRACE_PERIOD: "3000",
    });
    expect([quiet.config.log.level, quiet.config.drainTimeoutS]).toEqual(["warn", 3]);
    expect(
      (await load({ FANFARE_LIMITS: '{"connections":5}', WEBSOCKET_MAX_CLIENTS: "5" })).config.limits.connections,
    ).toBe(5);
  });

  test("are held against the object next to the setting, which has the last word among objects", async () => {
    const env = {
      FANFARE_DEFAULTS: '{"limits":{"batchSize":3}}',
      FANFARE_DEFAULTS_LIMITS: '{"batchSize":4}',
      SOKETI_EVENT_MAX_BATCH_SIZE: "4",
    };
    expect((await load(env)).config.defaults.limits.batchSize).toBe(4);
    expect(await refusal({ ...env, SOKETI_EVENT_MAX_BATCH_SIZE: "3" })).toStartWith(
      "FANFARE_DEFAULTS_LIMITS is the number 4",
    );
  });

  test("that nobody knows are let be, and an unknown FANFARE_… is not", async () => {
    expect(await refusal({ WEBSOCKET_COLOUR: "x", REVERB_X: "x", SOKETI_X: "x", PUSHER_HOST: "h" })).toBe("accepted");
    expect(await refusal({ FANFARE_COLOUR: "x" })).toStartWith("unknown environment name FANFARE_COLOUR");
  });
});

describe("two names that disagree stop the start in one line that names both", () => {
  const cases: readonly (readonly [Env, string])[] = [
    [
      { WEBSOCKET_PORT: "1", SOKETI_PORT: "2" },
      "WEBSOCKET_PORT is the number 1 and SOKETI_PORT is the number 2: both mean `port`, so unset one of them",
    ],
    [
      { WEBSOCKET_WORKERS: "1", WEBSOCKET_WORKER_COUNT: "2" },
      "WEBSOCKET_WORKERS is the number 1 and WEBSOCKET_WORKER_COUNT is the number 2: both mean `workers`, so unset one of them",
    ],
    [
      { FANFARE_LIMITS: '{"connections":5}', WEBSOCKET_MAX_CLIENTS: "6" },
      "FANFARE_LIMITS is the number 5 and WEBSOCKET_MAX_CLIENTS is the number 6: both mean `limits.connections`, so unset one of them",
    ],
    [
      { FANFARE_DEFAULTS_ANONYMOUS: "true", WEBSOCKET_AUTH_ENABLED: "true" },
      'FANFARE_DEFAULTS_ANONYMOUS is true and WEBSOCKET_AUTH_ENABLED is "true", which is false here: both mean `defaults.anonymous`, so unset one of them',
    ],
    [
      { FANFARE_LOG_LEVEL: "debug", WEBSOCKET_DEBUG: "false" },
      'FANFARE_LOG_LEVEL is "debug" and WEBSOCKET_DEBUG is "false": both mean `log.level`, so unset one of them',
    ],
    [
      { FANFARE_LOG_ROTATE: "size", WEBSOCKET_LOG_CHANNEL: "single" },
      'FANFARE_LOG_ROTATE is "size" and WEBSOCKET_LOG_CHANNEL is "single", which is "none" here: both mean `log.rotate`, so unset one of them',
    ],
    [
      { WEBSOCKET_DEBUG: "off", SOKETI_DEBUG: "on" },
      'SOKETI_DEBUG is "on", which is "debug" here and WEBSOCKET_DEBUG is "off": both mean `log.level`, so unset one of them',
    ],
    [
      { ...certificate, FANFARE_TLS_PASSPHRASE: "hush", SOKETI_SSL_PASS: "hushhush" },
      "FANFARE_TLS_PASSPHRASE is a text (not shown) and SOKETI_SSL_PASS is a text (not shown): both mean `tls.passphrase`, so unset one of them",
    ],
    [
      { ...nobodys, REVERB_APP_SECRET: "hush" },
      "PUSHER_APP_SECRET is a text (not shown) and REVERB_APP_SECRET is a text (not shown): both mean `apps[].secret`, so unset one of them",
    ],
    [
      { ...nobodys, SOKETI_DEFAULT_APP_ID: "2" },
      'PUSHER_APP_ID is "1" and SOKETI_DEFAULT_APP_ID is "2": both mean `apps[].id`, so unset one of them',
    ],
    [
      { ...nobodys, PUSHER_APP_NAME: "Shop", APP_NAME: "Laravel" },
      'PUSHER_APP_NAME is "Shop" and APP_NAME is "Laravel": both mean `apps[].name`, so unset one of them',
    ],
    [
      { WEBSOCKET_SSL: "false", FANFARE_TLS_CERT_FILE: "a.pem", FANFARE_TLS_KEY_FILE: "a.pem" },
      'WEBSOCKET_SSL is "false" and FANFARE_TLS_CERT_FILE is "a.pem": one leaves TLS out, the other asks for it, so unset one of them',
    ],
    [
      { WEBSOCKET_SSL: "false", FANFARE_TLS: '{"certFile":"a.pem","keyFile":"a.pem","passphrase":"hush"}' },
      'WEBSOCKET_SSL is "false" and FANFARE_TLS is a text (not shown): one leaves TLS out, the other asks for it, so unset one of them',
    ],
  ];
  test.each(cases)("%j", async (env, sentence) => {
    expect(await refusal(env)).toBe(sentence);
  });
});

describe("a value that is not what the name takes is refused in one line", () => {
  const cases: readonly (readonly [Env, string])[] = [
    [{ WEBSOCKET_DEBUG: "maybe" }, 'WEBSOCKET_DEBUG has to be true or false, but is "maybe"'],
    [{ WEBSOCKET_AUTH_ENABLED: "api" }, 'WEBSOCKET_AUTH_ENABLED has to be true or false, but is "api"'],
    [{ WEBSOCKET_SSL: "maybe" }, 'WEBSOCKET_SSL has to be true or false, but is "maybe"'],
    [{ WEBSOCKET_ENABLED: "x" }, '`enabled` has to be true or false, but is "x" (from WEBSOCKET_ENABLED)'],
    [{ SOKETI_EVENT_MAX_SIZE_IN_KB: "1 MB" }, 'SOKETI_EVENT_MAX_SIZE_IN_KB has to be a number, but is "1 MB"'],
    [
      { SOKETI_EVENT_MAX_SIZE_IN_KB: "0" },
      "`defaults.limits.eventDataBytes` has to be a whole number from 1 up, but is the number 0 (from SOKETI_EVENT_MAX_SIZE_IN_KB)",
    ],
    [
      { ...nobodys, REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM: "all" },
      'REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM has to be "members" or "none", for clients publish to channels they are in, but is "all"',
    ],
    [
      { ...nobodys, SOKETI_DEFAULT_APP_MAX_CONNS: "many" },
      'SOKETI_DEFAULT_APP_MAX_CONNS has to be a whole number, or -1, but is "many"',
    ],
    [
      { ...nobodys, REVERB_APP_MAX_CONNECTIONS: "0" },
      '`apps[0].limits.connections` has to be a whole number from 1 up, or "unlimited", but is the number 0 (from REVERB_APP_MAX_CONNECTIONS)',
    ],
    [
      { WEBSOCKET_SSL: "true" },
      "WEBSOCKET_SSL is true, but there is no certificate: set WEBSOCKET_SSL_CERT and WEBSOCKET_SSL_KEY, or `tls.certFile` and `tls.keyFile`",
    ],
    [
      { WEBSOCKET_SSL_CERT: "nope.pem", WEBSOCKET_SSL_KEY: "a.pem" },
      "`tls.certFile`: cannot read nope.pem: there is no such file (from WEBSOCKET_SSL_CERT)",
    ],
  ];
  test.each(cases)("%j", async (env, sentence) => {
    expect(await refusal(env)).toBe(sentence);
  });
});

describe("an app from the environment (B8)", () => {
  test("may have its three from several servers' names, and says which", async () => {
    const { config, sources } = await load({ REVERB_APP_ID: "1", PUSHER_APP_KEY: "k", SOKETI_DEFAULT_APP_SECRET: "s" });
    expect(config.apps[0]).toMatchObject({ id: "1", key: "k", secrets: ["s"], name: "1" });
    expect(sources.get("apps[0]")).toBe("REVERB_APP_ID, PUSHER_APP_KEY and SOKETI_DEFAULT_APP_SECRET");
  });

  test("keeps what is said of it beside the limits of others", async () => {
    const env = { ...nobodys, REVERB_APP_MAX_CONNECTIONS: "5", SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC: "6" };
    const { config, sources } = await load(env, { apps: [{ id: "a", key: "b", secret: "c" }] });
    expect(config.apps.map(({ limits }) => limits.connections)).toEqual([Number.POSITIVE_INFINITY, 5]);
    expect(config.apps[1]?.limits).toMatchObject({ clientEventsPerSecond: 6, presenceMembers: 100 });
    expect(sources.get("apps[1].limits.connections")).toBe("REVERB_APP_MAX_CONNECTIONS");
  });

  test("takes whether clients need a token from WEBSOCKET_AUTH_ENABLED (A22)", async () => {
    expect((await load({ ...nobodys, WEBSOCKET_AUTH_ENABLED: "false" })).config.apps[0]?.anonymous).toBe(true);
    expect((await load({ ...nobodys, WEBSOCKET_AUTH_ENABLED: "true" })).config.apps[0]?.anonymous).toBe(false);
  });

  test("is not made of APP_NAME alone, which every Laravel program has", async () => {
    expect((await load({ APP_NAME: "Laravel" })).config.apps).toEqual([]);
  });

  const incomplete: readonly (readonly [Env, string])[] = [
    [
      { REVERB_APP_ID: "1", REVERB_APP_KEY: "k" },
      "REVERB_APP_SECRET is missing: REVERB_APP_ID and REVERB_APP_KEY are set, and it takes all three to make an app",
    ],
    [
      { SOKETI_DEFAULT_APP_KEY: "k" },
      "SOKETI_DEFAULT_APP_ID and SOKETI_DEFAULT_APP_SECRET are missing: SOKETI_DEFAULT_APP_KEY is set, and it takes all three to make an app",
    ],
    [
      { WEBSOCKET_SECRET_KEY: "hush" },
      "PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET are missing: WEBSOCKET_SECRET_KEY is set, which is for the app that they make",
    ],
  ];
  test.each(incomplete)("%j is refused in one line", async (env, sentence) => {
    expect(await refusal(env)).toBe(sentence);
  });
});

describe("TLS from the environment (A21, S38, B14)", () => {
  const theirs = { WEBSOCKET_SSL_CERT: "a.pem", WEBSOCKET_SSL_KEY: "b.pem" };
  const file = { tls: { certFile: "b.pem", keyFile: "b.pem" } };

  test("is on where a certificate is, switched on or not", async () => {
    const tls = { certFile: "a.pem", keyFile: "b.pem" };
    expect((await load(theirs)).config.tls).toMatchObject(tls);
    expect((await load({ ...theirs, WEBSOCKET_SSL: "true" })).config.tls).toMatchObject(tls);
    expect((await load({ WEBSOCKET_SSL: "true" }, file)).config.tls).toMatchObject(file.tls);
  });

  test("is off where WEBSOCKET_SSL is, certificates or not", async () => {
    const { config, sources } = await load({ ...theirs, WEBSOCKET_SSL: "false" }, file);
    expect([config.tls, sources.size]).toEqual([undefined, 0]);
    expect((await load({ WEBSOCKET_SSL: "0" })).config.tls).toBeUndefined();
  });

  test("takes the key out of laravel-websockets' certificate, unless one of its own is named", async () => {
    const local = { LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT: "a.pem" };
    expect((await load(local)).config.tls).toMatchObject({ certFile: "a.pem", keyFile: "a.pem" });
    const both = { ...local, LARAVEL_WEBSOCKETS_SSL_LOCAL_PK: "b.pem" };
    expect((await load(both)).config.tls).toMatchObject({ certFile: "a.pem", keyFile: "b.pem" });
  });

  test("needs a key where the certificate is anybody else's", async () => {
    expect(await refusal({ SOKETI_SSL_CERT: "a.pem" })).toBe(
      "`tls.keyFile` is missing: it has to be the name of a file",
    );
  });
});
