/** Environments and files as other programs and people write them: what is obeyed, what is warned of, and what is refused. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, type Loaded, loadConfig, parseConfig } from "../../packages/server/src/config/load.ts";
import { redisSettings } from "../../packages/server/src/server/cluster/create-engine.ts";
import { run } from "../cli/run.ts";
import { eventually } from "../support/eventually.ts";
import { startProcess } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

type Env = Readonly<Record<string, string>>;

const PUSHER = { PUSHER_APP_ID: "1234567", PUSHER_APP_KEY: "old-key", PUSHER_APP_SECRET: "old-secret" };
const REVERB = { REVERB_APP_ID: "864321", REVERB_APP_KEY: "new-key", REVERB_APP_SECRET: "new-secret" };
const SOKETI = {
  SOKETI_DEFAULT_APP_ID: PUSHER.PUSHER_APP_ID,
  SOKETI_DEFAULT_APP_KEY: PUSHER.PUSHER_APP_KEY,
  SOKETI_DEFAULT_APP_SECRET: PUSHER.PUSHER_APP_SECRET,
};
const APP = { id: "a", key: "k", secret: "s" };

function load(env: Env, file?: object | string, name = "fanfare.config.json"): Promise<Loaded> {
  const cwd = temporaryFolder();
  if (file !== undefined) writeFileSync(join(cwd, name), typeof file === "string" ? file : JSON.stringify(file));
  return loadConfig({ cwd, env });
}

async function refusal(...given: Parameters<typeof load>): Promise<string> {
  try {
    await load(...given);
    return "accepted";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe("what an engine that is not used has for settings does not stop the start", () => {
  const useless: readonly Env[] = [
    { REDIS_HOST: "/run/redis/redis.sock", REDIS_PORT: "0" },
    { REDIS_HOST: "a b", REDIS_PORT: "many", REDIS_DB: "-1", REDIS_URL: "none" },
    { REDIS_HOST: "redis", SOKETI_DB_REDIS_HOST: "other", FANFARE_REDIS_HOST: "third" },
    { FANFARE_REDIS_PORT: "x", FANFARE_NATS_SERVERS: "[", SOKETI_ADAPTER_NATS_TIMEOUT: "soon" },
    { FANFARE_ENGINE: "nats", REDIS_PORT: "x" },
    { SOKETI_SSL_PASS: "hush" },
  ];
  test.each(useless)("%j", async (env) => {
    expect(await refusal({ ...env })).toBe("accepted");
  });

  test("but is warned of where it was meant for this server, and refused where it is used", async () => {
    const { warnings } = await load({ FANFARE_REDIS_PORT: "x", REDIS_DB: "x" });
    const sentence = '`redis.port` has to be a whole number from 1 to 65535, but is "x" (from FANFARE_REDIS_PORT)';
    expect(warnings).toEqual([`${sentence}; it is not used, as \`engine\` is "memory"`]);
    expect(await refusal({ FANFARE_REDIS_PORT: "x", FANFARE_ENGINE: "redis" })).toBe(sentence);
    expect(await refusal({ REDIS_PORT: "0", FANFARE_ENGINE: "redis" })).toContain("REDIS_PORT");
  });
});

describe("Redis as Laravel writes it", () => {
  const redis = async (env: Env) => redisSettings((await load({ REVERB_SCALING_ENABLED: "true", ...env })).config);
  const at = (host: string, port: number) => ({ type: "server", at: { host, port } });

  test("with user, database and a password of any characters", async () => {
    const env = { REDIS_HOST: "redis", REDIS_USERNAME: "shop", REDIS_PASSWORD: "p@ss:w/rd#1$", REDIS_DB: "3" };
    expect(await redis(env)).toMatchObject({
      topology: at("redis", 6379),
      username: "shop",
      password: "p@ss:w/rd#1$",
      db: 3,
    });
  });

  test("by a Unix socket, and with tls:// in front of the host", async () => {
    expect((await redis({ REDIS_HOST: "/run/r.sock", REDIS_PORT: "0" })).topology).toMatchObject({
      at: { host: "/run/r.sock" },
    });
    const secure = await redis({ REDIS_HOST: "tls://redis.example", REDIS_PORT: "25061" });
    expect(secure).toMatchObject({ topology: at("redis.example", 25061), tls: {} });
  });

  test("reaches a real one by its socket, in its database, as its user", async () => {
    const socket = join(temporaryFolder(), "r.sock");
    const real = await startRedis({ args: ["--unixsocket", socket] });
    await real.cli("ACL", "SETUSER", "shop", "on", ">p@ss:w/rd#1", "~*", "&*", "+@all");
    const env = { REDIS_HOST: socket, REDIS_PORT: "0", REDIS_USERNAME: "shop", REDIS_PASSWORD: "p@ss:w/rd#1" };
    const { url } = await startProcess({ env: { REVERB_SCALING_ENABLED: "true", REDIS_DB: "3", ...env } });
    await eventually(async () => expect((await fetch(`${url}/ready`)).status).toBe(200));
    expect(await real.cli("CLIENT", "LIST")).toMatch(/db=3 .*user=shop/);
    await real.cli("SELECT", "3");
    expect(await real.cli("INFO", "keyspace")).toContain("db3:");
  });

  const urls: readonly (readonly [string, object])[] = [
    ["tcp://127.0.0.1:6380?database=2", { topology: at("127.0.0.1", 6380), db: 2 }],
    [
      "tls://shop:p%40w@redis.example:6380?database=1",
      { topology: at("redis.example", 6380), username: "shop", password: "p@w", db: 1, tls: {} },
    ],
    ["redis://:p@ss:w/rd#1@127.0.0.1:6379", { topology: at("127.0.0.1", 6379), password: "p@ss:w/rd#1" }],
    ["redis://shop:12/34@redis:6381/5", { topology: at("redis", 6381), username: "shop", password: "12/34", db: 5 }],
    ["redis://shop:100%@redis", { topology: at("redis", 6379), password: "100%" }],
    ["rediss://[::1]:6380", { topology: at("::1", 6380), tls: {} }],
    ["unix:///run/r.sock?database=4", { topology: { at: { host: "/run/r.sock" } }, db: 4 }],
  ];
  test.each(urls)("%s", async (url, settings) => {
    expect(await redis({ REDIS_URL: url })).toMatchObject(settings);
  });

  test("which is the application's: one that is named for this server goes before it", async () => {
    const env = { REDIS_HOST: "cache", REDIS_URL: "redis://cache:6379", REDIS_PORT: "6380" };
    expect((await redis({ ...env, SOKETI_DB_REDIS_HOST: "own" })).topology).toMatchObject(at("own", 6380));
    expect((await redis({ ...env, FANFARE_REDIS_HOST: "own" })).topology).toMatchObject(at("own", 6380));
  });
});

describe("PUSHER_… and REVERB_… both filled", () => {
  const ids = async (env: Env) => (await load(env)).config.apps.map(({ id }) => id);

  test("are two apps, or the one that BROADCAST_CONNECTION says", async () => {
    expect(await ids({ ...PUSHER, ...REVERB })).toEqual(["1234567", "864321"]);
    expect(await ids({ ...PUSHER, ...REVERB, BROADCAST_CONNECTION: "reverb" })).toEqual(["864321"]);
    expect(await ids({ ...PUSHER, ...REVERB, BROADCAST_DRIVER: "pusher" })).toEqual(["1234567"]);
    expect(await ids({ ...PUSHER, ...REVERB, BROADCAST_CONNECTION: "log" })).toHaveLength(2);
  });

  test("are one app where they are the same, whatever a third server calls it", async () => {
    expect(await ids({ ...PUSHER, ...SOKETI })).toEqual(["1234567"]);
    expect(await ids({ ...PUSHER, ...SOKETI, ...REVERB })).toEqual(["1234567", "864321"]);
  });

  test("each with what its own server's names say of it", async () => {
    const more = {
      REVERB_APP_MAX_CONNECTIONS: "5",
      SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES: "true",
      APP_NAME: "Shop",
    };
    const { config } = await load({ ...PUSHER, ...REVERB, ...more });
    expect(config.apps.map(({ limits, name }) => [limits.connections, name])).toEqual([
      [Number.POSITIVE_INFINITY, "Shop"],
      [5, "Shop"],
    ]);
  });

  test("half of the one that does not count is no matter; without a word of which does, it is", async () => {
    const { PUSHER_APP_SECRET: _, ...half } = PUSHER;
    expect(await ids({ ...half, ...REVERB, BROADCAST_CONNECTION: "reverb" })).toEqual(["864321"]);
    expect(await refusal({ ...half, ...REVERB })).toContain("PUSHER_APP_ID");
  });
});

describe("what is said of an app without making one", () => {
  test("is of the only app that there is", async () => {
    const { config } = await load({ WEBSOCKET_SECRET_KEY: "hush", REVERB_APP_MAX_CONNECTIONS: "5" }, { apps: [APP] });
    expect(config.apps[0]).toMatchObject({ id: "a", token: { secret: "hush" }, limits: { connections: 5 } });
  });

  test("is warned of where it could be anybody's, or the app says otherwise", async () => {
    const { warnings } = await load({ WEBSOCKET_SECRET_KEY: "hush" }, { apps: [APP, { ...APP, id: "b", key: "l" }] });
    expect(warnings).toEqual(["WEBSOCKET_SECRET_KEY is not used: no app is made here that it could be for"]);
    const own = { ...APP, token: { jwksUrl: "https://issuer.example/keys" } };
    expect((await load({ WEBSOCKET_SECRET_KEY: "hush" }, { apps: [own] })).warnings).toHaveLength(1);
    expect((await load({ SOKETI_DEFAULT_APP_USER_AUTHENTICATION: "false" })).warnings).toHaveLength(1);
  });
});

describe("init", () => {
  test("makes no second app where the environment makes one, in any format", async () => {
    for (const format of ["ts", "json", "yaml", "toml"]) {
      const cwd = temporaryFolder();
      const env = Object.entries(PUSHER).map(([name, text]) => `${name}=${text}\n`);
      writeFileSync(join(cwd, ".env"), env.join(""));
      expect((await run(["init", "--format", format], { cwd })).stdout).toContain("PUSHER_APP_ID, PUSHER_APP_KEY");
      expect((await loadConfig({ cwd })).config.apps.map(({ id }) => id)).toEqual(["1234567"]);
    }
  });

  test("and Ody's `.env` start, and its secret key signs the tokens", async () => {
    const cwd = temporaryFolder();
    writeFileSync(
      join(cwd, ".env"),
      "WEBSOCKET_HOST=127.0.0.1\nWEBSOCKET_PORT=9502\nWEBSOCKET_SECRET_KEY=ody-secret\n",
    );
    expect((await run(["init"], { cwd })).code).toBe(0);
    await startProcess({ cwd, config: null });
    expect((await loadConfig({ cwd })).config.apps[0]?.token?.secret).toBe("ody-secret");
  });

  test("a browser and a back end that would be in different apps are told of", async () => {
    const cwd = temporaryFolder();
    expect((await run(["init", "--format", "json"], { cwd })).code).toBe(0);
    const { code, stderr } = await run(["config", "check"], { cwd, env: PUSHER });
    expect([code, stderr]).toEqual([0, expect.stringMatching(/"my-app".*PUSHER_APP_ID is in "1234567".*app=old-key/)]);
  });
});

describe("what another server would do and this one does not", () => {
  const ignored: readonly (readonly [Env, string | undefined])[] = [
    [{ SOKETI_ADAPTER_DRIVER: "cluster" }, "SOKETI_ADAPTER_DRIVER"],
    [{ SOKETI_MODE: "worker" }, "SOKETI_MODE"],
    [{ SOKETI_MODE: "full" }, undefined],
    [{ SOKETI_CORS_ALLOWED_ORIGINS: '["https://a.example"]' }, "SOKETI_CORS_ALLOWED_ORIGINS"],
    [{ SOKETI_APP_MANAGER_DRIVER: "mysql" }, "SOKETI_APP_MANAGER_DRIVER"],
    [{ SOKETI_APP_MANAGER_DRIVER: "array" }, undefined],
    [{ SOKETI_CHANNEL_CACHE_TTL: "60" }, "SOKETI_CHANNEL_CACHE_TTL"],
    [{ SOKETI_METRICS_SERVER_PORT: "9601" }, "SOKETI_METRICS_SERVER_PORT"],
    [{ SOKETI_METRICS_PROMETHEUS_PREFIX: "shop_" }, "SOKETI_METRICS_PROMETHEUS_PREFIX"],
    [{ SOKETI_ADAPTER_REDIS_CLUSTER_MODE: "true" }, "SOKETI_ADAPTER_REDIS_CLUSTER_MODE"],
    [{ SOKETI_WEBHOOKS_BATCHING: "true" }, "SOKETI_WEBHOOKS_BATCHING"],
    [{ SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC: "5" }, "SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC"],
    [{ SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC: "-1" }, undefined],
    [{ ...PUSHER, SOKETI_DEFAULT_APP_WEBHOOKS: '[{"lambda_function":"f"}]' }, "SOKETI_DEFAULT_APP_WEBHOOKS"],
    [{ REVERB_APP_RATE_LIMITING_ENABLED: "true" }, "REVERB_APP_RATE_LIMITING_ENABLED"],
    [{ REVERB_APP_RATE_LIMITING_ENABLED: "false" }, undefined],
    [{ REVERB_APP_PING_INTERVAL: "60" }, undefined],
    [{ REVERB_APP_PING_INTERVAL: "10" }, "REVERB_APP_PING_INTERVAL"],
    [{ REVERB_APP_PING_INTERVAL: "10", REVERB_APP_ACTIVITY_TIMEOUT: "10" }, undefined],
    [{ SOCKUDO_DEFAULT_APP_MAX_READ_REQUESTS_PER_SECOND: "5" }, "SOCKUDO_DEFAULT_APP_MAX_READ_REQUESTS_PER_SECOND"],
    [{ SOCKUDO_DEFAULT_APP_ENABLE_WATCHLIST_EVENTS: "true" }, undefined],
    [{ SOCKUDO_SERVER_ROLE: "api" }, "SOCKUDO_SERVER_ROLE"],
    [{ SOCKUDO_SERVER_ROLE: "default" }, undefined],
    [{ PUSHER_HOST: "h", REVERB_HOST: "h", REVERB_SCHEME: "https", PUSHER_APP_CLUSTER: "mt1" }, undefined],
  ];
  test.each(ignored)("%j is warned of: %p", async (env, name) => {
    const { warnings } = await load({ ...env });
    expect(warnings).toEqual(name === undefined ? [] : [expect.stringContaining(`${name} is`)]);
  });

  test("is in the log of the start, in doctor's findings and in `config check`; what is obeyed, doctor lists", async () => {
    const env = { ...PUSHER, SOKETI_MODE: "worker", SOKETI_DEBUG: "1", WEBSOCKET_DEBUG: "true" };
    const server = await startProcess({ config: null, env });
    await server.prints(/SOKETI_MODE is set, but not obeyed/);
    const cwd = temporaryFolder();
    expect((await run(["config", "check"], { cwd, env })).stderr).toContain("SOKETI_MODE is set, but not obeyed");
    const { stdout } = await run(["doctor"], { cwd, env: { ...env, FANFARE_PORT: "0" } });
    expect(stdout).toMatch(/warning +config +SOKETI_MODE/);
    expect(stdout).toMatch(/obeyed are .*WEBSOCKET_DEBUG \(log\.level\).*SOKETI_DEBUG \(log\.level\)/);
  });

  test("names that only the application means contradict nobody, and production is production", async () => {
    const { config } = await load({ APP_ENV: "production", NODE_ENV: "development", PORT: "1", FANFARE_PORT: "2" });
    expect([config.mode, config.port]).toEqual(["development", 2]);
    expect((await load({ ...PUSHER, APP_ENV: "production", NODE_ENV: "" })).config.mode).toBe("production");
    const scaled = { REVERB_SCALING_ENABLED: "true", FANFARE_ENGINE: "nats" };
    expect((await load(scaled)).config.engine).toBe("nats");
    expect(await refusal({ ...scaled, FANFARE_ENGINE: "memory" })).toContain("REVERB_SCALING_ENABLED");
  });
});

describe("a value that cannot work is refused, with its setting and what it is", () => {
  const app = (more: object) => ({ apps: [{ ...APP, ...more }] });
  const wrong: readonly (readonly [Env, object | undefined, string])[] = [
    [{}, app({ allowedOrigins: ["shop.example,www.shop.example"] }), '"shop.example,www.shop.example"'],
    [{ FANFARE_ENGINE: "redis", REDIS_HOST: "tls://127.0.0.1" }, undefined, 'REDIS_HOST is "tls://127.0.0.1"'],
    [{ FANFARE_ENGINE: "redis", REDIS_HOST: "127.0.0.1:6379" }, undefined, "`redis.host` has to be"],
    [{ FANFARE_ENGINE: "redis", REDIS_URL: "redis://a b" }, undefined, "`redis.url` has to be"],
    [{ FANFARE_ENGINE: "redis", REDIS_URL: "redis://h:99999" }, undefined, "`redis.url` has to be"],
    [{ SOKETI_HOST: "https://ws.example" }, undefined, '"https://ws.example" (from SOKETI_HOST)'],
    [{ WEBSOCKET_HOST: "0.0.0.0:8080" }, undefined, '"0.0.0.0:8080" (from WEBSOCKET_HOST)'],
    [{ FANFARE_HOST: "127.0.0.256" }, undefined, '"127.0.0.256"'],
    [{ FANFARE_HOST: "a,b" }, undefined, '"a,b"'],
    [{ FANFARE_NODE_URL: "ws://a:99999" }, undefined, "`nodeUrl` has to be"],
    [{ FANFARE_DATABASE_URL: "mysql://u:p@ss:w/rd#1@db/shop" }, undefined, "`database.url` has to be"],
    [{}, app({ webhooks: [{ url: "https://a.example:99999/" }] }), "`apps[0].webhooks[0].url` has to be"],
    [
      { FANFARE_HOST: "/run/f.sock", FANFARE_WORKERS: "2" },
      undefined,
      "`workers` has to be 1 where `host` is the Unix",
    ],
  ];
  test.each(wrong)("%j %j: %s", async (env, file, sentence) => {
    expect(await refusal(env, file)).toContain(sentence);
  });

  test("a key that is there twice, with its line, in YAML, JSON and TOML", async () => {
    expect(await refusal({}, "port: 7000\nlog:\n  level: warn\nport: 7001\n", "fanfare.config.yaml")).toBe(
      "fanfare.config.yaml:4:1: the key port is there twice in the same place: keep one of them",
    );
    expect(await refusal({}, '{"limits":{"jsonDepth":9,\n"jsonDepth":8}}')).toBe(
      "fanfare.config.json:2:1: the key jsonDepth is there twice in the same place: keep one of them",
    );
    expect(await refusal({}, "port = 1\nport = 2\n", "fanfare.config.toml")).toContain("fanfare.config.toml");
  });

  test.each(["soketi.example.invalid", "192.0.2.1"])("%s is no address of this machine", async (host) => {
    const { code, stderr } = await run(["serve", "--port", "0"], { env: { ...PUSHER, SOKETI_HOST: host } });
    const sentence = `\`host\` has to be an address of this machine, but is "${host}" (from SOKETI_HOST)`;
    expect([code, stderr]).toEqual([1, `fanfare: ${sentence}\n`]);
  });
});

describe("numbers and brackets as people write them", () => {
  test("an id, a key or a secret of digits is the text that stands there", async () => {
    const yaml = "apps:\n  - id: 1234567\n    key: 0123\n    secret: 12345678901234567890\n    name: 1.50\n";
    const apps = (await load({}, yaml, "fanfare.config.yaml")).config.apps;
    expect(apps[0]).toMatchObject({ id: "1234567", key: "0123", secrets: ["12345678901234567890"], name: "1.50" });
    const json = '{"apps":[{"id":1234567,"key":7,"secret":12345678901234567890}]}';
    expect((await load({}, json)).config.apps[0]).toMatchObject({ id: "1234567", secrets: ["12345678901234567890"] });
    expect(() => parseConfig({ apps: [{ ...APP, id: 5 }] })).toThrow("`apps[0].id` has to be text");
  });

  test("[::1] is an address", async () => {
    expect((await load({ FANFARE_HOST: "[::1]" })).config.host).toBe("::1");
    expect(parseConfig({ trustedProxies: ["[::1]"], redis: { host: "[::1]" } })).toMatchObject({
      trustedProxies: ["::1"],
      redis: { host: "::1" },
    });
  });
});
