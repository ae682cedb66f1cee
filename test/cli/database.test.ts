/** Commands that look into what the server keeps, beside a server that runs on it. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { migrate } from "../../packages/server/src/database/migrate.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { WebhookQueue } from "../../packages/server/src/observers/webhooks/webhook-queue.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { startPostgres } from "../support/postgres.ts";
import { runCli, startProcess } from "../support/process.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

async function run(cwd: string, ...args: string[]) {
  const { code, stdout, stderr } = await runCli(args, { cwd });
  return { code, text: stdout.trim(), error: stderr.trim() };
}

test("an app is added, changed, rotated and removed while a server runs on the same file", async () => {
  const cwd = temporaryFolder();
  const server = await startProcess({ cwd });
  const added = await run(cwd, "apps", "add", "--id", "shop", "--settings", '{"clientEvents":true}');
  expect(added).toMatchObject({ code: 0, error: "" });
  const [, key = "", secret = ""] = /app key +(\S+)\napp secret +(\S+)/.exec(added.text) ?? [];
  const app = { id: "shop", key, secret };
  const client = await eventually(() => connectPusher(server.url, { app }));
  const listed = await run(cwd, "apps", "list");
  expect(listed.text.split("\n")).toContain(`shop\t${key}\tshop\ton\tdatabase`);
  expect(listed.text).toContain("\tconfiguration");
  expect(listed.text).not.toContain(secret);

  const rotated = await run(cwd, "apps", "rotate", "shop");
  const fresh = rotated.text.replace("app secret  ", "");
  const asks = (by: string) => signedFetch(server.url, { ...app, secret: by }, "GET", "/channels");
  await eventually(async () => expect((await asks(fresh)).status).toBe(200));
  expect((await asks(secret)).status).toBe(200);
  await run(cwd, "apps", "rotate", "shop", "--forget");
  await eventually(async () => expect((await asks(secret)).status).toBe(401));

  expect((await run(cwd, "apps", "edit", "shop", "--disable")).text).toBe("app shop is changed, and disabled");
  expect(await client.socket.closed).toMatchObject({ code: 4003 });
  expect((await run(cwd, "apps", "remove", "shop")).text).toBe("app shop is removed");
  await eventually(async () => expect((await asks(fresh)).status).toBe(404));
}, 60_000);

test("what cannot be done is said in a line", async () => {
  const cwd = temporaryFolder();
  const apart = temporaryFolder();
  expect((await run(apart, "migrate")).text).toContain("is up to date now: 2026-11-first, 2026-12-series");
  expect((await run(apart, "migrate")).text).toContain("is up to date already");
  // Before the first start, in a file of our own: what the server would do.
  expect(await run(cwd, "apps", "list")).toMatchObject({ code: 0, text: expect.stringContaining("there is no app") });
  const demo = await startProcess({ cwd, config: null });
  expect((await run(cwd, "apps", "list")).text).toMatch(/^demo\t[0-9a-f]{40}\tDemo\ton\tdemo$/);
  await demo.kill();
  for (const [args, error] of [
    [["apps", "remove", "nobody"], 'There is no app "nobody" in the database.'],
    [["apps", "edit", "nobody"], "nothing to change"],
    [["apps", "edit", "nobody", "--enable", "--disable"], "keep one of --enable and --disable"],
    [["apps", "add", "--settings", "["], "--settings has to be JSON"],
    [["apps", "add", "--settings", "[]"], "--settings has to be a JSON object"],
    [["apps", "add", "--settings", '{"nonsense":1}'], "nonsense"],
    [["apps", "add", "--name", "x".repeat(256)], "text of 1 to 255 characters"],
    [["webhooks", "replay"], "say which"],
    [["webhooks", "replay", "--all", "1"], "say which"],
    [["webhooks", "failed", "--limit", "none"], "--limit has to be a whole number"],
    [["statistics", "clean", "--days", "few"], "--days has to be a whole number"],
    [["migrate", "--database-url", "postgres://x@127.0.0.1:1/x"], "cannot reach postgres://x@127.0.0.1:1/x"],
  ] as const) {
    const { code, error: said } = await run(cwd, ...args);
    expect([code, said]).toEqual([1, expect.stringContaining(error)]);
  }
}, 60_000);

test("dead letters are listed and sent again; statistics are forgotten (B39)", async () => {
  const cwd = temporaryFolder();
  await run(cwd, "migrate");
  const database = await openDatabase(`sqlite:${join(cwd, ".fanfare", "fanfare.db")}`);
  atEnd(() => database.close());
  const queue = new WebhookQueue(database, "test", 1_000);
  const letter = { app: "shop", channel: "room\u001b[31m", target: "http://x.example/", event: '{"name":"e"}' };
  await queue.write([{ ...letter, delayMs: 0 }], 1);
  const letters = await queue.messagesInOrder((await queue.receivers(2))[0] ?? "", 10, 2);
  await queue.claim(letters, 2);
  await queue.fail(letters, "The receiver answered 500.", 2);
  const { text } = await run(cwd, "webhooks", "failed", "--app", "shop");
  expect(text).toContain("room\\u001b[31m\thttp://x.example/\t1 attempts\tThe receiver answered 500.");
  const [id = ""] = text.split("\t");
  expect((await run(cwd, "webhooks", "replay", id)).text).toStartWith("1 goes out again");
  expect((await run(cwd, "webhooks", "failed")).text).toBe("there are none");
  expect((await run(cwd, "webhooks", "replay", "998", "999")).text).toStartWith("0 go out again");
  expect((await run(cwd, "statistics", "clean", "--days", "0")).text).toBe("0 rows are forgotten");
  expect((await run(cwd, "statistics", "flush", "--app", "shop")).text).toBe("0 rows are forgotten");
}, 60_000);

test("a database on a server gets its tables by migrate, and a server then runs on it", async () => {
  const { url } = await startPostgres();
  const cwd = temporaryFolder();
  const env = { FANFARE_DATABASE_URL: url };
  const early = await runCli(["serve", "--port", "0"], { cwd, env });
  const lacking = [1, expect.stringContaining("run `fanfare migrate` first")];
  expect([early.code, early.stderr]).toEqual(lacking);
  const listed = await runCli(["apps", "list"], { cwd, env });
  expect([listed.code, listed.stderr]).toEqual(lacking);
  await migrate(await openDatabase(url));
  const server = await startProcess({ cwd, env });
  expect((await runCli(["apps", "add", "--id", "pg"], { cwd, env })).code).toBe(0);
  await eventually(async () => expect((await fetch(`${server.url}/health`)).status).toBe(200));
}, 60_000);
