/** Redis behind TLS and access control lists. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { freePort } from "../support/ports.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { RedisNode, realClock, startNode } from "../support/redis-node.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const KEEP = { size: 10, ttlMs: 60_000 };

test("a certificate is checked, and what goes over TLS arrives", async () => {
  const folder = temporaryFolder();
  const file = (name: string) => join(folder, name);
  const made = Bun.spawnSync(
    [
      external("openssl"),
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
    ].concat([
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost,IP:127.0.0.1",
      "-keyout",
      file("key.pem"),
      "-out",
      file("cert.pem"),
    ]),
  );
  expect(made.exitCode).toBe(0);
  const port = await freePort();
  const files = ["--tls-cert-file", file("cert.pem"), "--tls-key-file", file("key.pem")];
  await startRedis({ args: ["--tls-port", String(port), "--tls-auth-clients", "no", ...files] });
  const at = { type: "server", at: { host: "localhost", port } } as const;
  const a = await startNode(settingsFor(at, { tls: { ca: readFileSync(file("cert.pem"), "utf8") } }));
  expect(a.engine.health()).toEqual({ reachable: true });
  await a.subscribe("room");
  await a.publish("room", "over TLS", KEEP);
  await eventually(() => expect(a.heard("room")).toEqual(["over TLS"]));
  const stranger = await startNode(settingsFor(at, { tls: {} }));
  expect(stranger.engine.health()).toMatchObject({ reachable: false, why: expect.stringContaining("certificate") });
});

test("a user that may do no more than the engine needs", async () => {
  const server = await startRedis();
  const rules = ["on", ">secret", "~fanfare:*", "&fanfare:*", "+@all", "-@dangerous", "+info", "+role"];
  await server.cli("ACL", "SETUSER", "fan", ...rules);
  const allowed = { prefix: "fanfare", username: "fan", password: "secret" };
  const a = await startNode(settingsFor(server.port, allowed));
  expect(a.engine.health()).toEqual({ reachable: true });
  await a.subscribe("room");
  await a.publish("room", "kept", KEEP);
  await a.publish("room", "plain");
  await eventually(() => expect(a.heard("room")).toEqual(["kept", "plain"]));
  expect(await a.join("presence-x", "1")).toMatchObject({ isFirst: true });
  expect(await a.engine.nodes()).toHaveLength(1);
  await a.engine.close();
  const keys = (await server.cli("KEYS", "fanfare:*")) as string[];
  expect(keys.filter((key) => !/^fanfare:v2:(history|head):/.test(key))).toEqual([]);
  const elsewhere = await startNode(settingsFor(server.port, { ...allowed, prefix: "other" }));
  expect(elsewhere.engine.health()).toMatchObject({ reachable: false, why: expect.stringContaining("NOPERM") });
});

test("a Redis that throws keys away by itself is warned of once, and one that does not is not", async () => {
  const server = await startRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
  const warnings: string[] = [];
  const start = async () => {
    const settings = settingsFor(server.port);
    const node = new RedisNode(settings, realClock, (sentence) => warnings.push(sentence));
    atEnd(() => node.engine.close());
    await node.engine.start(node);
    return node;
  };
  const node = await start();
  await eventually(() => expect(warnings).toEqual([expect.stringContaining("maxmemory-policy allkeys-lru")]));
  await server.cli("CLIENT", "KILL", "TYPE", "normal");
  await eventually(async () => expect(await node.join("presence-x", "1")).toMatchObject({ isFirst: true }));
  expect(warnings).toHaveLength(1);
  await server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction");
  const next = await start();
  await next.join("presence-x", "1");
  expect(warnings).toHaveLength(1);
  expect(node.failures).toEqual([]);
});
