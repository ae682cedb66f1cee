/** A database that is full, locked or frozen: messages go on as if there were none. */

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { startPostgres } from "../support/postgres.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { SERVER, startBareProcess } from "./process.ts";

/** Each webhook event is a row: how the file grows. Its receiver is nobody. */
const HOOKED = { ...APP, webhooks: [{ url: "http://127.0.0.1:9/" }] };
const FAST = { statistics: { intervalS: 1 }, webhooks: { allowPrivate: true } };
/** No file may grow beyond that, as on a full disk: writes fail, whoever runs the test. */
const MOST_KIB = 1024;

/** Publishes and hears as many; rejects when one is missing or out of order. */
async function talk(url: string, count: number): Promise<void> {
  const client = await connectPusher(url);
  await client.subscribe("room");
  for (let n = 0; n < count; n++) {
    await trigger(url, APP, { name: "n", channel: "room", data: String(n) });
    expect((await client.nextIn("room")).data).toBe(String(n));
  }
  await client.close();
}

async function failures(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^fanfare_failures_total (\d+)$/m.exec(text)?.[1]);
}

/** What is logged as an error, in the order in which it was. */
function errorsIn({ stderr }: { readonly stderr: string }): Record<string, unknown>[] {
  const lines = stderr.split("\n").filter((line) => line.startsWith('{"level":50'));
  return lines.map((line) => Object(JSON.parse(line)));
}

test("a folder in which nobody may write costs records, not messages, and is said in one line with what to do", async () => {
  const server = await startBareProcess({ config: { apps: [HOOKED], ...FAST, stateDir: "/sys/fanfare" } });
  await talk(server.url, 50);
  await eventually(async () => expect(await failures(server.url)).toBeGreaterThan(2), { withinMs: 20_000 });
  const [said, ...more] = errorsIn(server);
  expect(more).toEqual([]);
  expect(said?.err).toBeUndefined();
  expect(said?.msg).toStartWith("the database's file /sys/fanfare/fanfare.db cannot be written");
  expect(said?.msg).toContain("give it and its folder to the user that the server runs as");
}, 60_000);

test("a disk that is full costs records, not messages, and that is counted (scenario 7)", async () => {
  const cwd = temporaryFolder();
  const limited = ["/bin/sh", "-c", `ulimit -f ${MOST_KIB * 2}; exec "$0" "$@"`] as const;
  const server = await startBareProcess({ cwd, program: [...limited, ...SERVER], config: { apps: [HOOKED], ...FAST } });
  const writer = await connectPusher(server.url);
  await writer.subscribe("private-long");
  const data = "x".repeat(9_000);
  await eventually(
    async () => {
      for (let n = 0; n < 9; n++) writer.send("client-grow", data, "private-long");
      await writer.ping();
      await Bun.sleep(900);
      expect(await failures(server.url)).toBeGreaterThan(0);
    },
    { withinMs: 60_000 },
  );
  await talk(server.url, 50);
  await eventually(async () => expect(await failures(server.url)).toBeGreaterThan(2), { withinMs: 20_000 });
  expect(errorsIn(server)).toMatchObject([{ msg: expect.stringContaining("make room on its disk") }]);
  const folder = join(cwd, ".fanfare");
  for (const file of readdirSync(folder))
    expect(statSync(join(folder, file)).size).toBeLessThanOrEqual(MOST_KIB * 1024);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 90_000);

test("a database that another program has locked costs nobody a message (scenario 8)", async () => {
  const cwd = temporaryFolder();
  const server = await startBareProcess({ cwd, config: { apps: [HOOKED], ...FAST } });
  const file = join(cwd, ".fanfare", "fanfare.db");
  expect(existsSync(file)).toBe(true);
  const other = new Database(file);
  atEnd(() => other.close());
  other.run("BEGIN EXCLUSIVE");
  await talk(server.url, 50);
  await eventually(async () => expect(await failures(server.url)).toBeGreaterThan(0), { withinMs: 20_000 });
  await talk(server.url, 50);
  other.run("COMMIT");
  const counted = () => other.query("SELECT SUM(messages_in) AS sum FROM fanfare_statistics WHERE span = 'day'").get();
  await eventually(() => expect(Object(counted()).sum).toBeGreaterThanOrEqual(2), { withinMs: 20_000 });
  const letters = () => other.query("SELECT COUNT(*) AS count FROM fanfare_outbox").get();
  await eventually(() => expect(Object(letters()).count).toBeGreaterThan(0), { withinMs: 20_000 });
}, 90_000);

test("a database that is frozen costs nobody a message, and the server ends all the same (scenario 8)", async () => {
  const postgres = await startPostgres();
  const database = await openDatabase(postgres.url);
  await migrate(database);
  await database.close();
  const server = await startBareProcess({ config: { apps: [HOOKED], ...FAST, database: { url: postgres.url } } });
  await talk(server.url, 5);
  postgres.signal("SIGSTOP");
  await talk(server.url, 50);
  server.signal("SIGTERM");
  expect(await server.ended(20_000)).toMatchObject({ code: 0 });
}, 90_000);
