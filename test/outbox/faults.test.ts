/** A reader is killed at each step of its work, frozen past its lease, and its engine is taken away: nothing is lost, doubled or out of order. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { startBareProcess } from "../faults/process.ts";
import { configOf, type EngineName, engineSettings, startCluster, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startMariaDb } from "../support/mariadb.ts";
import { scrape } from "../support/metrics.ts";
import { givenMysql } from "../support/mysql.ts";
import { connectNative, type NativeTestClient } from "../support/native-client.ts";
import { startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { type Outbox, startOutbox } from "./databases.ts";

setDefaultTimeout(300_000);

const PATIENCE = { withinMs: 120_000, everyMs: 50 };
const DYING = [process.execPath, join(import.meta.dir, "programs", "dying.ts")] as const;
const STEPS = ["read", "publishing", "published", "deleted"] as const;
const CHANNELS = ["room-0", "room-1", "kept-2"];
const ROWS = scaled(10_000, 300);

const [postgres, mariadb, mysql] = await Promise.all([startPostgres(), startMariaDb(), givenMysql()]);
const DATABASES: Readonly<Record<string, string>> = {
  ...{ PostgreSQL: postgres.url, MariaDB: mariadb.url, SQLite: sqliteFile() },
  ...(mysql !== undefined && { MySQL: mysql }),
};

type Case = readonly [database: string, engine: Exclude<EngineName, "workers">, step: (typeof STEPS)[number]];

const ALL: readonly Case[] = Object.keys(DATABASES).flatMap((database) =>
  (["redis", "nats"] as const).flatMap((engine) => STEPS.map((step) => [database, engine, step] as Case)),
);
const SOME: readonly Case[] = [
  ["PostgreSQL", "redis", "publishing"],
  ["PostgreSQL", "redis", "deleted"],
  ["MariaDB", "redis", "published"],
  ["SQLite", "nats", "publishing"],
  ["SQLite", "redis", "read"],
  ...(mysql === undefined ? [] : [["MySQL", "redis", "published"] as const]),
];

function settingsFor(outbox: Outbox, batch = 20) {
  return { outbox: [{ ...outbox.config, batch, app: APP.id }], nodeTimeoutS: 1.5 };
}

/** As many numbers, of each channel its own, by the way that keeps their order. */
async function write(outbox: Outbox, count: number, from = 0): Promise<void> {
  for (let at = from; at < from + count; at += 50) {
    await outbox.db.transaction().execute(async (inside) => {
      for (let n = at; n < Math.min(at + 50, from + count); n++) {
        await outbox.publish(CHANNELS[n % CHANNELS.length] ?? "", String(n), inside);
      }
    });
  }
}

function heard({ socket }: NativeTestClient, channel: string): unknown[] {
  return socket.frames
    .filter((frame) => frame.event === "message" && frame.channel === channel)
    .map(({ data }) => data);
}

/** Each number once, in order, in its channel. */
async function expectAll(client: NativeTestClient, count: number): Promise<void> {
  const wanted = CHANNELS.map((_, at) =>
    Array.from({ length: count }, (_, n) => n).filter((n) => n % CHANNELS.length === at),
  );
  await eventually(() => {
    for (const [at, channel] of CHANNELS.entries())
      expect(heard(client, channel).length).toBeGreaterThanOrEqual(wanted[at]?.length ?? 0);
  }, PATIENCE);
  for (const [at, channel] of CHANNELS.entries()) expect(heard(client, channel)).toEqual(wanted[at] ?? []);
}

async function listenAt(url: string): Promise<NativeTestClient> {
  const client = await connectNative(url);
  for (const channel of CHANNELS) await client.subscribe(channel);
  return client;
}

async function expectEmpty(outbox: Outbox): Promise<void> {
  await eventually(async () => expect(await outbox.count()).toBe(0), PATIENCE);
}

async function isReading(url: string): Promise<boolean> {
  return [...(await scrape(url)).keys()].some((name) => name.startsWith("fanfare_outbox_up"));
}

test.each(scaled(ALL, SOME))(
  "%s, %s: killed with -9 when it has come to “%s”, another node goes on",
  async (database, engine, step) => {
    const outbox = await startOutbox(DATABASES[database] ?? "");
    const where = await engineSettings(engine);
    const config = { ...where, ...configOf({ config: settingsFor(outbox) }) };
    const doomed = await startBareProcess({ program: DYING, env: { DIES_AT: step }, config });
    await eventually(async () => expect(await isReading(doomed.url)).toBe(true), PATIENCE);
    const survivor = await startNode(where, { config: settingsFor(outbox) });
    const client = await listenAt(survivor.url);
    await write(outbox, ROWS);
    expect((await doomed.exited).signal).toBe("SIGKILL");
    await expectAll(client, ROWS);
    await expectEmpty(outbox);
    await expectAll(client, ROWS);
  },
);

test("frozen past its lease with rows in its hands, it does not publish them again when it wakes, and there is one reader then", async () => {
  const outbox = await startOutbox(postgres.url);
  const nodes = await startCluster("redis", { config: settingsFor(outbox, 5) });
  const reader = async () => (await Promise.all(nodes.map(async ({ url }) => await isReading(url)))).indexOf(true);
  await eventually(async () => expect(await reader()).toBeGreaterThanOrEqual(0), PATIENCE);
  const frozen = nodes[await reader()];
  const other = nodes.find((node) => node !== frozen);
  if (!frozen || !other) throw new Error("no two nodes");
  const client = await listenAt(other.url);
  const writing = write(outbox, ROWS);
  await eventually(() => expect(heard(client, "room-0").length).toBeGreaterThan(5), PATIENCE);
  frozen.signal("SIGSTOP");
  await writing;
  await expectAll(client, ROWS);
  await expectEmpty(outbox);
  frozen.signal("SIGCONT");
  await write(outbox, 30, ROWS);
  await expectAll(client, ROWS + 30);
  await eventually(async () => {
    const reading = await Promise.all(nodes.map(({ url }) => isReading(url)));
    expect(reading.filter(Boolean)).toHaveLength(1);
  }, PATIENCE);
  await expectAll(client, ROWS + 30);
});

test("while the engine is away rows wait, and are published in order when it is back; nobody sets them aside", async () => {
  const outbox = await startOutbox(mariadb.url);
  const redis = await startRedis();
  const where = { engine: "redis", redis: { port: redis.port } } as const;
  const node = await startNode(where, { config: { ...settingsFor(outbox), publishWaitS: 0.5 } });
  const client = await listenAt(node.url);
  await write(outbox, 30);
  await expectAll(client, 30);
  redis.signal("SIGSTOP");
  await write(outbox, 60, 30);
  await eventually(async () => expect((await fetch(`${node.url}/ready`)).status).toBe(503), PATIENCE);
  redis.signal("SIGCONT");
  await expectAll(client, 90);
  await expectEmpty(outbox);
});

test("of several workers one reads, and another when that one is killed", async () => {
  const outbox = await startOutbox(sqliteFile());
  const workers = await startCluster("workers", { config: settingsFor(outbox) });
  const [one, other] = await Promise.all(workers.map((worker) => worker.native()));
  if (!one || !other) throw new Error("no two workers");
  for (const client of [one, other]) for (const channel of CHANNELS) await client.subscribe(channel);
  await write(outbox, 30);
  for (const client of [one, other]) await expectAll(client, 30);
  await expectEmpty(outbox);
  // One of the two is the reader.
  await workers[0]?.kill();
  await write(outbox, 30, 30);
  await expectAll(other, 60);
  await expectEmpty(outbox);
});

test("a server that is stopped hands the source to another at once", async () => {
  const outbox = await startOutbox(postgres.url);
  const nodes = await startCluster("redis", { config: { ...settingsFor(outbox), nodeTimeoutS: 600 } });
  const reading = async () => await Promise.all(nodes.map(({ url }) => isReading(url)));
  await eventually(async () => expect(await reading()).toContain(true), PATIENCE);
  const at = (await reading()).indexOf(true);
  const client = await listenAt(nodes[1 - at]?.url ?? "");
  nodes[at]?.signal("SIGTERM");
  await write(outbox, 30);
  await expectAll(client, 30);
  await expectEmpty(outbox);
});
