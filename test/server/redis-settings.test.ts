/** The settings of the Redis engine, from those of the configuration. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig, parseConfig } from "../../packages/server/src/config/load.ts";
import { redisSettings } from "../../packages/server/src/server/cluster/create-engine.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const of = (redis: object, more: object = {}) => redisSettings(parseConfig({ engine: "redis", redis, ...more }));

test("without a word, it is the server on this machine", () => {
  expect(of({})).toEqual({
    topology: { type: "server", at: { host: "127.0.0.1", port: 6379 } },
    db: 0,
    prefix: "fanfare",
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 1_500,
    reconnectMinMs: 50,
    reconnectMaxMs: 500,
    publishWaitMs: 5_000,
    publishWaitBytes: 67_108_864,
    nodeTimeoutMs: 6_000,
  });
});

test("one line says all, and goes before the settings for each part", () => {
  const settings = of({ url: "rediss://us%40er:p%3Ass@[::1]:7000/3", host: "other", password: "other", db: 1 });
  expect(settings).toMatchObject({
    topology: { type: "server", at: { host: "::1", port: 7000 } },
    username: "us@er",
    password: "p:ss",
    db: 3,
    tls: {},
  });
  expect(of({ url: "redis://10.0.0.5", password: "kept", db: 1 })).toMatchObject({
    topology: { type: "server", at: { host: "10.0.0.5", port: 6379 } },
    password: "kept",
    db: 1,
  });
});

test("sentinels and clusters take the place of a server", () => {
  expect(
    of({ sentinels: ["10.0.0.1:26379", "[::1]:26380"], sentinelMaster: "m", sentinelPassword: "s" }).topology,
  ).toEqual({
    type: "sentinel",
    sentinels: [
      { host: "10.0.0.1", port: 26379 },
      { host: "::1", port: 26380 },
    ],
    master: "m",
    password: "s",
  });
  const cluster = of({ cluster: ["redis-1:7000"], db: 5 });
  expect(cluster.topology).toEqual({ type: "cluster", seeds: [{ host: "redis-1", port: 7000 }] });
  expect(cluster.db).toBe(0);
});

test("TLS takes the certificate authority from its file, and says so where it cannot", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "ca.pem"), "PEM");
  expect(of({ tls: true, caFile: join(folder, "ca.pem") }).tls).toEqual({ ca: "PEM" });
  expect(() => of({ tls: true, caFile: join(folder, "none.pem") })).toThrow("none.pem");
});

test("an environment written for its predecessors is understood (A23)", async () => {
  const env = { REDIS_HOST: "redis", REDIS_PORT: "6380", REDIS_PASSWORD: "null", FANFARE_ENGINE: "redis" };
  const { config } = await loadConfig({ cwd: temporaryFolder(), env });
  const settings = redisSettings(config);
  expect(settings.topology).toEqual({ type: "server", at: { host: "redis", port: 6380 } });
  expect(settings.password).toBeUndefined();
  const other = await loadConfig({ cwd: temporaryFolder(), env: { REDIS_HOST: "redis", REDIS_PASSWORD: "p" } });
  expect(other.config.engine).toBe("memory");
});

test.each([
  [{ url: "http://redis" }, "redis.url"],
  [{ sentinels: ["10.0.0.1"] }, "redis.sentinels"],
  [{ prefix: "a{b" }, "redis.prefix"],
  [{ port: 0 }, "redis.port"],
])("%p is refused with a sentence that names the setting", (redis, name) => {
  expect(() => of(redis)).toThrow(name);
});
