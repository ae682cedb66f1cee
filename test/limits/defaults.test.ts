/** Every limit has the default that docs/configuration.md gives it. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "../../packages/server/src/index.ts";
import { APP } from "../support/server.ts";

const PROCESS = {
  connections: 100_000,
  frameBytes: 655_360,
  httpBodyBytes: 6_553_600,
  outboundBufferBytes: 13_107_200,
  readerLagS: 30,
  jsonDepth: 32,
  waitingCommands: 20_000,
  waitingBytes: 4_194_304,
  handshakeTimeoutS: 10,
};

const APPS = {
  connections: Number.POSITIVE_INFINITY,
  channelsPerConnection: 10_000,
  channelNameLength: 200,
  eventNameLength: 200,
  eventDataBytes: 102_400,
  channelsPerTrigger: 100,
  batchSize: 10,
  presenceMembers: 100,
  memberDataBytes: 1024,
  userIdLength: 128,
  watchlistSize: 100,
  clientEventsPerSecond: 10,
  subscribesPerSecond: Number.POSITIVE_INFINITY,
  unauthenticatedTimeoutS: 30,
  revocationTtlS: 86_400,
};

test("the limits of the process are what they are documented to be", () => {
  const { config } = createServer({ apps: [APP] });
  expect(config.limits).toMatchObject(PROCESS);
  expect(documented("## `limits`")).toEqual({ ...config.limits });
});

test("the limits of an app are what they are documented to be", () => {
  const { config } = createServer({ apps: [APP] });
  expect(config.apps[0]?.limits).toMatchObject(APPS);
  expect(documented("### `defaults.limits`")).toEqual({ ...config.apps[0]?.limits });
});

test("a limit set low for one app leaves the app beside it as it was", () => {
  const other = { id: "other", key: "other-key", secret: "other-secret" };
  const { config } = createServer({ apps: [{ ...APP, limits: { batchSize: 3 } }, other] });
  expect(config.apps.map(({ limits }) => limits.batchSize)).toEqual([3, 10]);
});

/** The names and defaults of the table below a heading. */
function documented(heading: string): Record<string, number> {
  const text = readFileSync(join(import.meta.dir, "..", "..", "docs", "configuration.md"), "utf8");
  const section = text.split(`\n${heading}\n`)[1]?.split(/\n#+ /)[0] ?? "";
  const rows = [...section.matchAll(/^\| `(\w+)` \| `([^`]+)` \|/gm)];
  return Object.fromEntries(rows.map(([, name = "", value = ""]) => [name, number(JSON.parse(value))]));
}

function number(value: unknown): number {
  return value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
}
