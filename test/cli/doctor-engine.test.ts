/** `fanfare doctor` and what the server shares with others: a real Redis and a real NATS, there and away. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Finding } from "../../packages/server/src/cli/doctor/finding.ts";
import { startNats } from "../support/nats.ts";
import { Operator } from "../support/nats-credentials.ts";
import { startRedis } from "../support/redis.ts";
import { run } from "./run.ts";

setDefaultTimeout(60_000);

async function engine(...args: string[]): Promise<{ code: number | null; told: string[] }> {
  const { code, stdout } = await run(["doctor", "--json", "--port", "0", ...args]);
  const all: Finding[] = JSON.parse(stdout);
  return { code, told: all.flatMap(({ check, level, says }) => (check === "engine" ? `${level}: ${says}` : [])) };
}

test("the memory engine needs nobody", async () => {
  expect((await engine()).told).toEqual(["ok: memory, one process"]);
  expect((await engine("--workers", "3")).told).toEqual(["ok: memory, shared by 3 workers"]);
});

test("a Redis that is there is reached, and one that is not is a problem that names it", async () => {
  const redis = await startRedis();
  const at = ["--engine", "redis", "--redis-host", "127.0.0.1", "--redis-port", String(redis.port)];
  const found = await engine(...at);
  expect(found.told[0]).toBe("ok: redis can be reached; 0 nodes");
  await redis.kill();
  const away = await engine(...at);
  expect(away.code).toBe(1);
  expect(away.told).toEqual([expect.stringMatching(/^problem: .*[Rr]edis/)]);
});

test("a NATS that is there is reached, and one that is not is a problem", async () => {
  const nats = await startNats();
  const at = ["--engine", "nats", "--nats-servers", JSON.stringify([nats.address])];
  expect((await engine(...at)).told).toEqual(["ok: nats can be reached; 0 nodes"]);
  await nats.kill();
  const away = await engine(...at);
  expect(away.code).toBe(1);
  expect(away.told).toEqual([expect.stringMatching(/^problem: .*NATS/)]);
});

test("papers for NATS that are good, another's, or not there are told apart", async () => {
  const operator = new Operator();
  const nats = await startNats({ more: operator.settings });
  const at = ["--engine", "nats", "--nats-servers", JSON.stringify([nats.address]), "--nats-creds-file"];
  expect((await engine(...at, operator.account.user().file)).told).toEqual(["ok: nats can be reached; 0 nodes"]);
  const stranger = await engine(...at, new Operator().account.user().file);
  expect(stranger.told).toEqual([
    expect.stringMatching(/^problem: NATS cannot be reached at .*Authorization Violation/),
  ]);
  const missing = await engine(...at, "/nowhere/node.creds");
  expect(missing.code).toBe(1);
  expect(missing.told).toEqual(["problem: `nats.credsFile`: cannot read /nowhere/node.creds: there is no such file"]);
});
