/** A whole back end in plain PHP beside `fanfare serve`: hooks, publishing, members, history, moderation and the outbox. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { runCli, startProcess } from "../support/process.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(120_000);

const ORIGIN = "https://shop.example";
const HOOKS = join(import.meta.dir, "..", "..", "docs", "hooks", "hooks.php");
const SHOP = join(import.meta.dir, "programs", "shop.php");
const PRESENCE = "presence-room";
const ORDERS = "private-orders.ada";

/** `fanfare serve` with an outbox in SQLite, and `php -S` that answers its hooks. `shop` runs the application. */
async function start() {
  external("pdo_sqlite");
  const php = external("php");
  const cwd = temporaryFolder();
  const database = join(cwd, "shop.sqlite");
  const port = await freePort();
  const receiver = Bun.spawn([php, "-S", `127.0.0.1:${port}`, HOOKS], {
    ...{ cwd, env: { ...process.env, FANFARE_SECRET: APP.secret }, stdout: "ignore", stderr: "ignore" },
  });
  atEnd(async () => {
    receiver.kill();
    await receiver.exited;
  });
  const url = `http://127.0.0.1:${port}/fanfare`;
  await eventually(async () => expect((await fetch(url, { method: "POST", body: "{}" })).status).toBe(401));
  const config = {
    apps: [
      {
        ...APP,
        allowedOrigins: [ORIGIN],
        hooks: { url, forward: ["cookie"], connect: true, subscribe: { channels: ["private-*"] }, timeoutS: 30 },
        channels: [{ match: "room", history: { size: 100, ttlS: 600 } }],
      },
    ],
    outbox: [{ url: `sqlite:${database}`, app: APP.id }],
  };
  const env = {
    ...{ FANFARE_URL: "", FANFARE_APP: APP.id, FANFARE_KEY: APP.key, FANFARE_SECRET: APP.secret },
    SHOP_DATABASE: database,
  };
  const shop = async (...words: string[]) => {
    const child = Bun.spawn([php, SHOP, ...words], { env: { ...process.env, ...env }, stdout: "pipe", stderr: "pipe" });
    const [out, wrong] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect([wrong, await child.exited]).toEqual(["", 0]);
    return JSON.parse(out);
  };
  await shop("migrate");
  await Bun.write(join(cwd, "fanfare.config.json"), JSON.stringify(config));
  expect(await runCli(["outbox", "migrate"], { cwd })).toMatchObject({ code: 0 });
  const server = await startProcess({ cwd, config });
  env.FANFARE_URL = server.url;
  return { server, shop };
}

test("plain PHP decides who connects, publishes, moderates, reads history, and publishes in a transaction", async () => {
  const { server, shop } = await start();
  expect(await (await dialNative(server.url, { headers: { Origin: ORIGIN } })).next("closing")).toMatchObject({
    ...{ code: "unauthorized", message: "Log in first." },
  });
  const ada = await connectNative(server.url, { headers: { Origin: ORIGIN, Cookie: "session=user-ada" } });
  expect(ada.welcome.user).toEqual({ id: "ada" });
  await ada.subscribe("room");
  await ada.subscribe(ORDERS);
  expect(await ada.ask("subscribe", { channel: "private-orders.bob" })).toMatchObject({ code: "not_yours" });

  const data = JSON.stringify({ user_id: "ada", user_info: { name: "Ada" } });
  await ada.subscribe(PRESENCE, await shop("sign", ada.id, PRESENCE, data));
  expect(await shop("members", PRESENCE)).toMatchObject({ members: [{ id: "ada", info: { name: "Ada" } }] });

  for (const text of ["one", "two", "three"]) await shop("publish", "room", "said", JSON.stringify({ text }));
  for (const text of ["one", "two", "three"]) expect(await ada.next("said")).toMatchObject({ data: { text } });
  const latest = await shop("history", "room");
  expect(latest.events.map((event: { data: string }) => JSON.parse(event.data).text)).toEqual(["two", "three"]);
  const first = await shop("history", "room", latest.next);
  expect(first).toMatchObject({ events: [{ data: '{"text":"one"}' }], next: null, complete: true });
  expect(await shop("forget", "room")).toMatchObject({ purged: 3 });

  await shop("order", "6", "not paid");
  await shop("order", "7", "paid");
  expect(await ada.next("ordered")).toMatchObject({ channel: ORDERS, data: { id: "7" } });

  expect(await shop("ban", PRESENCE, "ada")).toEqual({ connections: 1, nodes_missing: 0 });
  expect(await ada.next("unsubscribed")).toMatchObject({ channel: PRESENCE });
  const permission = await shop("sign", ada.id, PRESENCE, data);
  expect(await ada.ask("subscribe", { channel: PRESENCE, ...permission })).toMatchObject({ code: "unauthorized" });
  await shop("unban", PRESENCE, "ada");
  await ada.subscribe(PRESENCE, permission);

  expect(await shop("subscribe", "ada", "news")).toEqual({ connections: 1, nodes_missing: 0 });
  expect(await ada.next("subscribed")).toMatchObject({ channel: "news" });
  expect(await shop("disconnect", "ada")).toMatchObject({ connections: 1 });
  expect(await ada.next("closing")).toMatchObject({ code: "terminated" });
});
