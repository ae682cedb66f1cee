/** A server at a Unix socket, as a proxy on the same machine reaches it, and the commands that find it there. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "../../packages/server/src/index.ts";
import { runCli, spawnCli } from "../support/process.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(90_000);

test("a server whose host is a path listens there, and is found there by listen, publish, status, stats and doctor", async () => {
  const cwd = temporaryFolder();
  const unix = join(cwd, "f.sock");
  writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify({ host: unix, path: "/ws", apps: [APP] }));
  const server = spawnCli(["serve"], { cwd });
  await server.prints(/Socket +unix:/);
  expect((await fetch("http://shop.example/ws/health", { unix })).status).toBe(200);
  const listening = spawnCli(["listen", "news", "--json"], { cwd });
  await listening.prints(/subscribed|listening|connected/i, 5_000).catch(() => {});
  // What is published before it listens, it does not hear.
  let told = "";
  for (let tries = 0; tries < 10 && !listening.stdout.includes("hello"); tries++) {
    told = (await runCli(["publish", "news", "hello", '{"a":1}'], { cwd })).stdout;
  }
  expect(told).toBe("published hello to news\n");
  expect(listening.stdout).toContain('"event":"hello"');
  expect((await runCli(["status"], { cwd })).stdout).toContain(unix);
  expect((await runCli(["stats"], { cwd })).stdout).toContain("Total Connections: 1");
  expect((await runCli(["doctor"], { cwd })).stdout).toContain(`${unix}: a running Fanfare answers`);
  const second = await runCli(["serve"], { cwd });
  expect([second.code, second.stderr]).toEqual([1, expect.stringContaining(`cannot listen at ${unix}`)]);
  // It dies: what it leaves is in nobody's way.
  await listening.kill();
  await server.kill();
  expect(lstatSync(unix).isSocket()).toBe(true);
  const next = spawnCli(["serve"], { cwd });
  await next.prints(/Socket +unix:/);
  expect((await fetch("http://shop.example/ws/health", { unix })).status).toBe(200);
  await next.stop();
  expect(lstatSync(unix, { throwIfNoEntry: false })).toBeUndefined();
});

test("who comes by a Unix socket is a proxy of this machine, which may say for whom it speaks", async () => {
  const host = join(temporaryFolder(), "f.sock");
  const server = createServer({ host, apps: [APP], trustedProxies: ["loopback"], allowIps: ["192.0.2.1"] });
  await server.start();
  try {
    expect(server.url).toBe(`unix:${host}`);
    const ask = (client: string) =>
      fetch("http://x/health", { unix: host, headers: { "x-forwarded-for": client } }).then(({ status }) => status);
    expect([await ask("192.0.2.1"), await ask("192.0.2.2")]).toEqual([200, 403]);
  } finally {
    await server.stop();
  }
});
