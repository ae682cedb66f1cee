/** A Laravel application without the Composer package, and without a line of TypeScript, beside `fanfare serve`: it does all that a back end can do. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Channel,
  type ChannelOptions,
  type Client,
  createClient,
  type Member,
  updatePresence,
} from "../../packages/client/src/index.ts";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { startCollector } from "../observers/otlp.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { runCli, startProcess } from "../support/process.ts";
import { APP, type AppInput } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(120_000);

const ORIGIN = "https://shop.example";
const SHOP = join(import.meta.dir, "programs", "laravel-plain");

/** `php -S` with the application, its database migrated, and `fanfare serve` that asks it and reads its outbox. */
async function start() {
  external("pdo_sqlite");
  const php = external("php");
  const storage = temporaryFolder();
  for (const folder of ["sessions", "views", "cache"])
    mkdirSync(join(storage, "framework", folder), { recursive: true });
  const database = join(storage, "shop.sqlite");
  await Bun.write(database, "");
  const [port, fanfarePort] = [await freePort(), await freePort()];
  const env = {
    ...process.env,
    ...{ LARAVEL: external("laravel"), SHOP_STORAGE: storage, SHOP_DATABASE: database },
    ...{ APP_PACKAGES_CACHE: join(storage, "packages.php"), APP_SERVICES_CACHE: join(storage, "services.php") },
    ...{ FANFARE_URL: `http://127.0.0.1:${fanfarePort}`, FANFARE_APP: APP.id, FANFARE_KEY: APP.key },
    // While one request calls Fanfare, another answers what Fanfare asks.
    ...{ FANFARE_SECRET: APP.secret, PHP_CLI_SERVER_WORKERS: "4" },
  };
  const migrated = Bun.spawnSync([php, join(SHOP, "artisan"), "migrate", "--force"], { env });
  expect([migrated.exitCode, migrated.stderr.toString()]).toEqual([0, ""]);
  const shop = Bun.spawn([php, "-S", `127.0.0.1:${port}`, join(SHOP, "public", "index.php")], {
    ...{ env, stdout: "ignore", stderr: "ignore", detached: true },
  });
  atEnd(async () => {
    // Its workers, too.
    process.kill(-shop.pid, "SIGKILL");
    await shop.exited;
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () =>
    expect((await fetch(`${url}/fanfare`, { method: "POST", body: "{}" })).status).toBe(401),
  );
  const hooks: AppInput["hooks"] = {
    ...{ url: `${url}/fanfare`, forward: ["cookie"], timeoutS: 30 },
    ...{ connect: true, authenticate: true, refresh: true, disconnect: true },
    ...{ subscribe: true, publish: { channels: ["private-orders.*"] }, call: true },
  };
  const channels: AppInput["channels"] = [
    { match: "private-*", clientPublish: "any" },
    { match: "log", history: { size: 100, ttlS: 600 } },
  ];
  const app: AppInput = {
    ...APP,
    anonymous: true,
    allowedOrigins: [ORIGIN],
    singleConnection: "replace",
    hooks,
    channels,
  };
  const telemetry = { tracesEndpoint: `${startCollector().url}/v1/traces`, traceparent: true };
  const config: ConfigInput = { apps: [app], outbox: [{ url: `sqlite:${database}`, app: APP.id }], telemetry };
  await Bun.write(join(storage, "fanfare.config.json"), JSON.stringify(config));
  expect(await runCli(["outbox", "migrate"], { cwd: storage })).toMatchObject({ code: 0 });
  const server = await startProcess({ cwd: storage, port: fanfarePort, config });
  const call = async (method: "GET" | "POST", path: string, body?: object, more: Record<string, string> = {}) => {
    const headers = { Accept: "application/json", "Content-Type": "application/json", ...more };
    const response = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  return { server, call };
}

type Shop = Awaited<ReturnType<typeof start>>;

const shop = await start();

/** Logged in at the application, whose session the WebSocket's handshake brings along. */
async function login({ call }: Shop, name: string) {
  const { headers } = await call("POST", `/login/${name}`);
  const cookie = headers
    .getSetCookie()
    .map((each) => each.split(";")[0])
    .join("; ");
  return { Origin: ORIGIN, Cookie: cookie };
}

async function enter(shop: Shop, name: string) {
  return await connectNative(shop.server.url, { headers: await login(shop, name) });
}

/** The client of a page on which the user is logged in: a browser sends the cookie by itself. */
async function openPage(shop: Shop, name: string): Promise<Client> {
  const headers = await login(shop, name);
  class BrowserSocket extends WebSocket {
    constructor(url: string) {
      super(url, { headers } as never);
    }
  }
  const client = createClient({ url: shop.server.url, WebSocket: BrowserSocket });
  atEnd(() => client.close());
  return client;
}

async function entered(client: Client, options: ChannelOptions = {}): Promise<Channel> {
  const hall = client.channel("presence-hall", options);
  hall.hold();
  await eventually(() => expect(hall.snapshot.state).toBe("attached"));
  return hall;
}

async function ask(method: "GET" | "POST", path: string, body?: object) {
  const answer = await shop.call(method, path, body);
  expect([path, answer.status, answer.body]).toEqual([path, 200, answer.body]);
  return answer.body;
}

const administer = (path: string, body: object = {}) => ask("POST", `/admin${path}`, body);

const reached = (connections: number) => ({ connections, nodes_missing: 0 });

test("a Laravel application decides, publishes in a transaction, steers, purges history and sees members", async () => {
  const { server, call } = shop;

  // connect, refresh, authenticate
  expect(await (await dialNative(server.url, { headers: { Origin: ORIGIN } })).next("closing")).toMatchObject({
    ...{ code: "unauthorized", message: "Log in first." },
  });
  const ada = await enter(shop, "ada");
  expect(ada.welcome.user).toEqual({ id: "ada", info: { name: "Ada" } });
  const bob = await enter(shop, "bob");
  await eventually(async () => expect((await ask("GET", "/asked/refresh")).sort()).toEqual(["ada", "bob"]));
  const guest = await connectNative(server.url, { path: "/?guest=1", headers: { Origin: ORIGIN } });
  expect(guest.welcome.user).toBeUndefined();
  expect(await guest.ask("authenticate", { name: "bob", password: "guess" })).toMatchObject({ code: "unauthorized" });
  await call("POST", "/login/cyd");
  expect(await guest.ask("authenticate", { name: "cyd", password: "secret" })).toMatchObject({
    event: "authenticated",
  });

  // subscribe, publish, call
  const mine = "private-orders.ada";
  await ada.subscribe(mine);
  expect(await bob.ask("subscribe", { channel: mine })).toMatchObject({ code: "not_yours" });
  const { auth } = await ask("GET", `/auth?connection=${bob.id}&channel=${mine}`);
  await bob.subscribe(mine, { auth });
  await ada.ask("publish", { channel: mine, event: "note", data: { text: "buy spam" } });
  await ada.ask("publish", { channel: mine, event: "note", data: { text: "darn" } });
  expect(await bob.next("note")).toMatchObject({ data: { text: "****", by: "ada" } });
  await ada.subscribe("private-notices");
  const written = { channel: "private-notices", event: "note", data: {} };
  expect(await ada.ask("publish", written)).toMatchObject({ code: "publish_forbidden" });
  await ada.subscribe("private-trial");
  expect(await ada.ask("sum", [1, 2, 3])).toMatchObject({ event: "result", data: { plan: "pro", sum: 6 } });

  // the outbox
  expect((await call("POST", "/orders/6", { paid: false })).status).toBe(500);
  await ask("POST", "/orders/7", { paid: true });
  expect(await ada.next("ordered")).toMatchObject({ channel: mine, data: { id: "7" } });

  // publishing, history and members
  await ada.subscribe("log");
  for (const text of ["one", "two", "three"]) {
    await administer("/events", { name: "said", channel: "log", data: JSON.stringify({ text }) });
  }
  for (const text of ["one", "two", "three"]) expect(await ada.next("said")).toMatchObject({ data: { text } });
  const latest = await ask("GET", "/admin/channels/log/history?limit=2");
  expect(latest.events.map(({ data }: { data: string }) => JSON.parse(data).text)).toEqual(["two", "three"]);
  const first = await ask("GET", `/admin/channels/log/history?limit=2&before=${latest.next}`);
  expect(first).toMatchObject({ events: [{ data: '{"text":"one"}' }], next: null, complete: true });
  const [{ at_ms: secondAtMs }] = latest.events;
  const since = await ask("GET", `/admin/channels/log/history?direction=oldest&from_ms=${secondAtMs}&limit=1`);
  expect(since).toMatchObject({ events: [{ at_ms: secondAtMs }], complete: true });
  const rest = await ask("GET", `/admin/channels/log/history?direction=oldest&after=${since.next}`);
  expect(rest).toMatchObject({ events: [{ data: '{"text":"three"}' }], next: null });
  expect(await administer("/channels/log/history/2/purge")).toMatchObject({ purged: 1 });
  const { epoch } = latest.position;
  expect(await administer(`/channels/log/history/purge?before=${epoch}:2`)).toMatchObject({ purged: 1 });
  expect(await administer("/channels/log/history/purge")).toMatchObject({ purged: 1 });
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const traced = { name: "traced", channel: "log", data: "1" };
  await call("POST", "/admin/events", traced, { traceparent: `00-${trace}-00f067aa0ba902b7-01` });
  expect((await ada.next("traced")).traceparent).toStartWith(`00-${trace}-`);
  await ada.subscribe("presence-hall");
  await guest.subscribe("presence-hall");
  const { members } = await ask("GET", "/admin/channels/presence-hall/members");
  expect(members.map(({ id, info }: { id: string; info: object }) => [id, info]).sort()).toEqual([
    ["ada", { name: "Ada" }],
    ["cyd", { name: "Cyd" }],
  ]);

  // steering
  expect(await ada.next("unsubscribed")).toMatchObject({ channel: "private-trial", code: "permission_gone" });
  expect(await administer("/users/ada/subscribe", { channel: "news" })).toEqual(reached(1));
  expect(await ada.next("subscribed")).toMatchObject({ channel: "news", by: "server" });
  expect(await administer("/users/ada/unsubscribe", { channel: "news" })).toEqual(reached(1));
  expect(await ada.next("unsubscribed")).toMatchObject({ channel: "news" });
  const soon = Math.ceil(Date.now() / 1000) + 1;
  expect(await administer("/users/ada/subscribe", { channel: "brief", expires_at: soon })).toEqual(reached(1));
  expect(await ada.next("subscribed")).toMatchObject({ channel: "brief", by: "server" });
  expect(await ada.next("unsubscribed")).toMatchObject({ channel: "brief", code: "permission_gone" });
  const ban = { user_id: "cyd", ban_s: 60, message: "Be kind." };
  expect(await administer("/channels/presence-hall/kick", ban)).toEqual(reached(1));
  expect(await guest.next("unsubscribed")).toMatchObject({ code: "kicked", message: "Be kind." });
  expect(await guest.ask("subscribe", { channel: "presence-hall" })).toMatchObject({ code: "unauthorized" });
  await administer("/channels/presence-hall/unban", { user_id: "cyd" });
  await guest.subscribe("presence-hall");
  const { items } = await ask("GET", "/admin/connections?channel=presence-hall");
  expect(items.map(({ id }: { id: string }) => id).sort()).toEqual([ada.id, guest.id].sort());
  expect(await administer(`/connections/${guest.id}/disconnect`)).toEqual(reached(1));
  expect(await guest.next("closing")).toMatchObject({ code: "terminated" });
  expect(await administer("/users/bob/reconnect")).toEqual(reached(1));
  expect(await bob.next("closing")).toMatchObject({ code: "reconnect" });

  // one connection per user, the end of it, and what is told afterwards
  const second = await enter(shop, "ada");
  expect(await ada.next("closing")).toMatchObject({ code: "replaced" });
  await second.ping();
  expect(await administer("/users/ada/terminate_connections")).toEqual(reached(1));
  expect(await second.next("closing")).toMatchObject({ code: "terminated" });
  await eventually(async () =>
    expect((await ask("GET", "/asked/disconnect")).sort()).toEqual(["ada", "ada", "bob", "cyd"]),
  );
});

test("the application says who somebody is, clients what they do; who may watches unseen; and who somebody is now reaches the members", async () => {
  const [ada, bob] = [await openPage(shop, "ada"), await openPage(shop, "bob")];
  const [adas, bobs] = [await entered(ada), await entered(bob)];
  const told: Member[] = [];
  bobs.onUpdate((member) => told.push(member));
  await updatePresence(adas, { typing: true, info: { name: "Root" } });
  const shown = { id: "ada", info: { name: "Ada" }, state: { typing: true, info: { name: "Root" } } };
  await eventually(() => expect(told).toEqual([shown]));

  // By what `connect` answered, by what the hook `subscribe` answers when asked, or not at all.
  await shop.call("POST", "/login/dora");
  await ask("POST", "/users/dora/title/Director");
  const [dora, guard] = [await openPage(shop, "dora"), await openPage(shop, "guard")];
  const watching = [await entered(dora, { watch: true }), await entered(guard, { watch: true })];
  const board: unknown[] = [];
  dora.channel("private-board").on("minutes", (data) => board.push(data));
  await eventually(() => expect(dora.channel("private-board").snapshot.state).toBe("attached"));
  await administer("/events", { name: "minutes", channel: "private-board", data: '"Read."' });
  await eventually(() => expect(board).toEqual(["Read."]));
  const ids = (hall: Channel) => hall.members.map(({ id }) => id).sort();
  for (const hall of watching) {
    expect(ids(hall)).toEqual(["ada", "bob"]);
    expect(hall.members).toContainEqual(shown);
  }
  const eve = (await openPage(shop, "eve")).channel("presence-hall", { watch: true });
  eve.hold();
  await eventually(() => expect(eve.snapshot).toMatchObject({ state: "refused", error: { code: "unauthorized" } }));

  // Neither the members nor the application see who watches.
  expect([ids(adas), ids(bobs)]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ]);
  const membersNow = async () => {
    const { members } = await ask("GET", "/admin/channels/presence-hall/members");
    return new Map(
      members.map(({ joined_at_ms: _, ...member }: Member & { joined_at_ms: number }) => [member.id, member]),
    );
  };
  expect(await membersNow()).toEqual(
    new Map<unknown, unknown>([
      ["ada", shown],
      ["bob", { id: "bob", info: { name: "Bob" } }],
    ]),
  );
  expect((await ask("GET", "/admin/connections?channel=presence-hall")).items).toHaveLength(4);

  // A promotion is the application's; the client shows who it is again.
  await ask("POST", "/users/ada/title/Chief");
  await ada.authenticate({ name: "ada", password: "secret" });
  const promoted = { ...shown, info: { name: "Ada", title: "Chief" } };
  for (const hall of [adas, bobs, ...watching]) await eventually(() => expect(hall.members).toContainEqual(promoted));
  expect((await membersNow()).get("ada")).toEqual(promoted);
  await updatePresence(adas, null);
  const { state: _, ...silent } = promoted;
  for (const hall of [bobs, ...watching]) await eventually(() => expect(hall.members).toContainEqual(silent));
  expect((await membersNow()).get("ada")).toEqual(silent);
  ada.close();
  for (const hall of [bobs, ...watching]) await eventually(() => expect(ids(hall)).toEqual(["bob"]));
});
