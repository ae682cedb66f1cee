/** What those who run an app see of its hooks, and which addresses a hook may have. */

import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import type { FeedBatch } from "../../packages/server/src/admin/api-types.ts";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import { post } from "../../packages/server/src/http/post.ts";
import { hookSettings } from "../../packages/server/src/server/hook-settings.ts";
import { keyHolder } from "../admin/visitor.ts";
import { folderWith, run } from "../cli/run.ts";
import { startBackEnd } from "../support/back-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { APP, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";

setDefaultTimeout(60_000);

test("the dashboard shows each refusal with the back end's answer, and no secret of the hooks", async () => {
  const backEnd = startBackEnd({
    connect: ({ query }) => (Object(query).as ? {} : new Response("<h1>Whoops, line 7</h1>", { status: 500 })),
    subscribe: () => ({ refuse: { message: "Not you.", code: "own.code" } }),
  });
  const hooks = { url: `${backEnd.url}?key=hidden`, headers: { "X-Key": "secret" }, connect: true, subscribe: true };
  const server = await startServer({}, { anonymous: true, hooks });
  const visitor = await keyHolder(server);
  const live = await visitor.watch();
  await live.subscribe({ type: "feed" });
  await (await dialNative(server.url)).closed;
  const client = await connectNative(server.url, { path: "/?as=ada" });
  await client.ask("subscribe", { channel: "private-a" });
  const whys = () =>
    live.socket.frames.flatMap(({ event, data }) =>
      event === "feed" ? (data as FeedBatch).entries.flatMap(({ why }) => why ?? []) : [],
    );
  await eventually(() => {
    expect(whys().join("\n")).toMatch(/backend_unavailable: .*the hook connect answered 500: <h1>Whoops, line 7<\/h1>/);
    expect(whys().join("\n")).toMatch(/subscribe: Not you\. \(the hook subscribe answered 200: .*own\.code/);
  });
  const shown = JSON.stringify((await visitor.ask("api/apps/app")).body);
  expect(shown).toContain('"subscribe":{');
  expect(shown).not.toMatch(/hidden|"secret"|X-Key/);
});

test("a private address is for the apps of the configuration, unless the operator says otherwise", async () => {
  const backEnd = startBackEnd();
  const url = sqliteFile();
  const hooks = { url: backEnd.url, call: true };
  const start = (allowPrivate: boolean) =>
    startServer({ database: { url }, hooks: { allowPrivate } }, { ...APP, anonymous: true, hooks });
  const first = await start(false);
  const stored = {
    id: "stored",
    key: "stored-key",
    name: "stored",
    secrets: '["stored-secret-0123456789"]',
    enabled: 1,
  };
  const settings = JSON.stringify({ anonymous: true, hooks: { ...hooks, allowPrivate: true } });
  const row = { ...stored, settings, created_at: 1, updated_at: 1 };
  const database = new Database(url.slice("sqlite:".length));
  database.run(
    "insert into fanfare_apps (id, key, name, secrets, enabled, settings, created_at, updated_at) values (?, ?, ?, ?, ?, ?, ?, ?)",
    [row.id, row.key, row.name, row.secrets, row.enabled, row.settings, row.created_at, row.updated_at],
  );
  database.close();
  const own = await connectNative(first.url);
  expect(await own.ask("x")).toMatchObject({ event: "result" });
  const other = await eventually(() => connectNative(first.url, { app: "stored-key" }));
  expect(await other.ask("x")).toMatchObject({ event: "error", code: "backend_unavailable" });
  expect(backEnd.of("call")).toHaveLength(1);
  await first.stop();
  const second = await start(true);
  const allowed = await eventually(() => connectNative(second.url, { app: "stored-key" }));
  expect(await allowed.ask("x")).toMatchObject({ event: "result" });
});

test("what may not be reached is not connected to, be it named by an address or by a name that stands for one", async () => {
  const backEnd = startBackEnd();
  const { port } = new URL(backEnd.url);
  const ask = (url: string, allowPrivate: boolean, isTrusted: boolean) => {
    const { reach } = hookSettings(parseConfig({ hooks: { allowPrivate } }));
    const hooks = { timeoutS: 1, forward: [], allowPrivate: isTrusted };
    return post({ url, headers: {}, body: "{}", timeoutMs: 5_000, reach: reach(hooks), answerBytes: 100 });
  };
  for (const host of ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"]) {
    await expect(ask(`http://${host}:${port}/`, false, false)).rejects.toThrow("is a private address");
  }
  for (const host of ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "[::ffff:169.254.169.254]"]) {
    await expect(ask(`http://${host}/latest/`, true, true)).rejects.toThrow("is a private address");
  }
  expect(backEnd.questions).toEqual([]);
});

test("fanfare doctor pings each address, signed, and says what is wrong with it", async () => {
  const good = startBackEnd();
  const bad = startBackEnd({ ping: () => new Response("<p>no such page</p>", { status: 404 }) });
  const hooks = { url: good.url, call: true, publish: { url: bad.url }, connect: { url: "http://127.0.0.1:1/" } };
  const cwd = await folderWith({ apps: [{ ...APP, hooks }] });
  const { stdout, code } = await run(["doctor", "--json", "--port", "0"], { cwd });
  const found = (JSON.parse(stdout) as { check: string; level: string; says: string }[]).filter(
    ({ check }) => check === "hooks",
  );
  expect(code).toBe(1);
  expect(found.map(({ level }) => level)).toEqual(["ok", "problem", "problem"]);
  expect(found[1]?.says).toMatch(/127\.0\.0\.1:1, the back end of app: .*request failed/);
  expect(found[2]?.says).toContain("answered 404: <p>no such page</p>");
  expect(good.of("ping")).toHaveLength(1);
  expect(good.unsigned).toEqual([]);
});
