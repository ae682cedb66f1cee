/**
 * The Composer package for Laravel (packages/laravel) in an application that Composer and `artisan fanfare:install` set up, on a real
 * Laravel, behind a real `fanfare serve`. With TEST_PHP it runs in another PHP, of a system with another Laravel.
 */

import { expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Echo from "laravel-echo";
import Pusher from "pusher-js";
import nacl from "tweetnacl";
import { batchAuthorizer } from "../../packages/client/src/pusher/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { runCli, startProcess } from "../support/process.ts";
import { sign } from "../support/pusher-client.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(120_000);

const PACKAGE = join(import.meta.dir, "..", "..", "packages", "laravel");
const TEMPLATE = join(import.meta.dir, "programs", "laravel-app");
const ENCRYPTION_KEY = Buffer.alloc(32, 7).toString("base64");

/** Laravel's own, before anything of Fanfare's is in it. Debian brings what it would require, so no registry is asked. */
const COMPOSER = {
  name: "shop/app",
  repositories: { "packagist.org": false },
  autoload: { "psr-4": { "App\\": "app/" } },
};

async function run(command: string[], cwd: string): Promise<string> {
  const env = { ...process.env, COMPOSER_HOME: join(cwd, ".composer"), COMPOSER_ALLOW_SUPERUSER: "1" };
  const child = Bun.spawn(command, { cwd, env, stdout: "pipe", stderr: "pipe" });
  const [out, wrong] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${out}${wrong}`);
  return out;
}

/** An application that Composer has put together, with the `.env` of a new one. */
async function makeApplication(env: string) {
  external("pdo_sqlite");
  external("php_curl");
  external("laravel");
  const php = external("php");
  const cwd = temporaryFolder();
  cpSync(TEMPLATE, cwd, { recursive: true });
  mkdirSync(join(cwd, "bootstrap", "cache"), { recursive: true });
  mkdirSync(join(cwd, "storage", "framework"), { recursive: true });
  mkdirSync(join(cwd, "database"), { recursive: true });
  writeFileSync(join(cwd, "database", "shop.sqlite"), "");
  writeFileSync(join(cwd, ".env"), env);
  const version = await run(
    [php, "-r", `require "${external("laravel")}"; echo Illuminate\\Foundation\\Application::VERSION;`],
    cwd,
  );
  const parts = ["broadcasting", "console", "database", "http", "queue", "routing", "support"];
  const provide = Object.fromEntries(parts.map((part) => [`illuminate/${part}`, version]));
  writeFileSync(join(cwd, "composer.json"), JSON.stringify({ ...COMPOSER, provide }));
  for (const words of [
    ["config", "repositories.fanfare", "path", PACKAGE],
    ["require", "fanfare/laravel:*"],
  ])
    await run([php, external("composer"), ...words, "--no-interaction", "--quiet"], cwd);
  const artisan = (...words: string[]) => run([php, "artisan", ...words, "--no-ansi"], cwd);
  const read = (file: string) => readFileSync(join(cwd, file), "utf8");
  return { cwd, php, artisan, read };
}

/** Laravel's `.env` as its installer leaves it, of version 10, whose Pusher is the hosted one. */
const ENV = `APP_NAME=Shop
APP_ENV=local
BROADCAST_DRIVER=log
PUSHER_APP_ID=
PUSHER_APP_KEY=
PUSHER_APP_SECRET=
PUSHER_HOST=
PUSHER_PORT=443
PUSHER_SCHEME=https
PUSHER_APP_CLUSTER=mt1
VITE_PUSHER_APP_KEY="\${PUSHER_APP_KEY}"
`;

/** The application and the server, as `fanfare:install --hooks` has set them up; the server's file has an outbox and rules besides. */
async function start() {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const app = await makeApplication(`${ENV}APP_URL=${origin}\nPUSHER_APP_ENCRYPTION_KEY=${ENCRYPTION_KEY}\n`);
  const { cwd, artisan, read, php } = app;
  await artisan("fanfare:install", "--hooks");
  const fanfarePort = await freePort();
  writeFileSync(join(cwd, ".env"), read(".env").replace("PUSHER_PORT=9501", `PUSHER_PORT=${fanfarePort}`));
  const config = JSON.parse(read("fanfare.config.json"));
  const [settings] = config.apps;
  Object.assign(settings, {
    clientEvents: true,
    channels: [{ match: "room", history: { size: 100, ttlS: 600 }, clientPublish: "any" }],
  });
  Object.assign(settings.hooks, { authenticate: true, publish: true, call: true, disconnect: true, timeoutS: 30 });
  const outbox = [{ url: `sqlite:${join(cwd, "database", "shop.sqlite")}`, app: settings.id }];
  writeFileSync(
    join(cwd, "fanfare.config.json"),
    JSON.stringify({ ...config, webhooks: { ...config.webhooks, leaveDelayS: 0.1 }, outbox }),
  );
  serve(php, cwd, port);
  const get = (path: string, headers = {}) => ask(`${origin}${path}`, headers);
  await eventually(() => get("/migrate"));
  expect(await runCli(["outbox", "migrate"], { cwd })).toMatchObject({ code: 0 });
  const server = await startProcess({ cwd, config: null, port: fanfarePort });
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(read(".env"))?.[1] ?? "";
  const keys = { id: value("PUSHER_APP_ID"), key: value("PUSHER_APP_KEY"), secret: value("PUSHER_APP_SECRET") };
  return { ...app, server, origin, get, keys };
}

function serve(php: string, cwd: string, port: number): void {
  const env = { ...process.env, PHP_CLI_SERVER_WORKERS: "4" };
  const command = [php, "-S", `127.0.0.1:${port}`, "-t", "public", "public/index.php"];
  const child = Bun.spawn(command, { cwd, env, stdout: "ignore", stderr: "ignore", detached: true });
  atEnd(async () => {
    // Its workers are processes of their own.
    process.kill(-child.pid, "SIGKILL");
    await child.exited;
  });
}

async function ask(url: string, headers: Record<string, string>) {
  const response = await fetch(url, { headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text.slice(0, 2000)}`);
  return JSON.parse(text);
}

type Shop = Awaited<ReturnType<typeof start>>;

const shop = await start();

/** The session of a user: the cookie that a browser would send. */
async function login({ origin }: Shop, user: number): Promise<string> {
  const response = await fetch(`${origin}/login/${user}`);
  expect(response.status).toBe(200);
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
}

/** A native client of a user who is logged in. */
async function connectUser(shop: Shop, user: number, path = "/") {
  const headers = { Origin: shop.origin, Cookie: await login(shop, user) };
  return connectNative(shop.server.url, { headers, path });
}

const FORM = "application/x-www-form-urlencoded";
const asForm = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

/** Echo of a page where the user is logged in, and what the application's routes were asked. */
function openEcho({ server, origin, keys }: Shop, cookie: string, isBatched: boolean) {
  const one = async (socket: string, channel: string) => {
    const response = await fetch(`${origin}/broadcasting/auth`, {
      method: "POST",
      headers: { Cookie: cookie, "Content-Type": FORM },
      body: asForm({ socket_id: socket, channel_name: channel }),
    });
    if (!response.ok) throw new Error(`${response.status}`);
    return response.json();
  };
  const userAuthentication = {
    customHandler: ({ socketId }: { socketId: string }, done: (error: Error | null, data: never) => void) => {
      const init = {
        method: "POST",
        headers: { Cookie: cookie, "Content-Type": FORM },
        body: asForm({ socket_id: socketId }),
      };
      fetch(`${origin}/broadcasting/user-auth`, init).then(async (response) =>
        done(null, (await response.json()) as never),
      );
    },
  };
  const echo = new Echo({
    broadcaster: "pusher",
    ...{ Pusher, key: keys.key, cluster: "mt1", wsHost: "127.0.0.1", wsPort: server.port, forceTLS: false, nacl },
    enabledTransports: ["ws"],
    userAuthentication,
    channelAuthorization: {
      customHandler: isBatched
        ? batchAuthorizer({ endpoint: `${origin}/broadcasting/auth-batch`, headers: { Cookie: cookie } })
        : (
            { socketId, channelName }: { socketId: string; channelName: string },
            done: (error: Error | null, data: never) => void,
          ) => {
            one(socketId, channelName).then(
              (data) => done(null, data as never),
              (error) => done(error, null as never),
            );
          },
    },
  } as never) as Echo<"pusher">;
  atEnd(() => echo.disconnect());
  return echo;
}

function listen(echo: Echo<"pusher">, kind: "channel" | "private" | "encryptedPrivate", name: string, event: string) {
  const heard: unknown[] = [];
  const channel = echo[kind](name);
  channel.listen(event, (data: { text?: string }) => heard.push(data.text ?? data));
  const ready = new Promise<string>((resolve) => {
    channel.subscribed(() => resolve("subscribed"));
    channel.error(() => resolve("refused"));
  });
  return { heard, ready };
}

const say = (shop: Shop, query: object) =>
  shop.get(
    `/say?${new URLSearchParams(Object.entries(query).flatMap(([name, value]) => (Array.isArray(value) ? value.map((each) => [`${name}[]`, each]) : [[name, value]])))}`,
  );

test("broadcast(event) reaches Echo in public, private and encrypted channels, and toOthers() leaves one out", async () => {
  const ada = openEcho(shop, await login(shop, 1), false);
  const room = listen(ada, "channel", "room", ".App\\SaidNow");
  const own = listen(ada, "private", "orders.1", ".App\\SaidNow");
  const others = listen(ada, "private", "orders.2", ".App\\SaidNow");
  const sealed = listen(ada, "encryptedPrivate", "encrypted.1", ".App\\SaidNow");
  const answers = await Promise.all([room, own, others, sealed].map(({ ready }) => ready));
  expect(answers).toEqual(["subscribed", "subscribed", "refused", "subscribed"]);
  const channels = ["room", "private-orders.1", "private-encrypted-encrypted.1"];
  await say(shop, { now: 1, text: "hello", channels });
  for (const { heard } of [room, own, sealed]) await eventually(() => expect(heard).toEqual(["hello"]));
  await shop.get(`/say?now=1&others=1&text=mine&channels[]=room`, { "X-Socket-ID": String(ada.socketId()) });
  await say(shop, { now: 1, text: "theirs", channels: ["room"] });
  await eventually(() => expect(room.heard).toEqual(["hello", "theirs"]));
  // Again, it is answered where the first one stands.
  for (let time = 0; time < 2; time++)
    expect(await shop.get("/publish?channel=room&key=k")).toMatchObject({ room: { offset: 4 } });
  const last = listen(ada, "channel", "many-130", ".many");
  await last.ready;
  await shop.get("/many");
  await eventually(() => expect(last.heard).toEqual([{ n: 1 }]));
  expect(await shop.get("/history?channel=room")).toMatchObject({
    events: [{ name: "news", data: '{"n":1}' }],
    position: { offset: 4 },
  });
});

test("routes/channels.php permits many channels in one request", async () => {
  const ada = openEcho(shop, await login(shop, 1), true);
  const own = listen(ada, "private", "orders.1", ".App\\SaidNow");
  const others = listen(ada, "private", "orders.2", ".App\\SaidNow");
  const staff = listen(ada, "private", "staff", ".App\\SaidNow");
  const members = new Promise((resolve) => ada.join("lobby").here(resolve));
  expect([await own.ready, await others.ready, await staff.ready]).toEqual(["subscribed", "refused", "refused"]);
  expect(await members).toEqual([{ name: "Ada" }]);
  const ask = async (body: object, headers = {}) => {
    const init = {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    };
    const response = await fetch(`${shop.origin}/broadcasting/auth-batch`, init);
    return { status: response.status, body: await response.json() };
  };
  expect(await ask({ connectionId: "1.2", channels: ["private-orders.1"] })).toMatchObject({
    body: { channels: { "private-orders.1": { error: { code: "forbidden" } } } },
  });
  const cookie = { Cookie: await login(shop, 1) };
  expect(await ask({ connectionId: "1.2:evil", channels: ["private-orders.1"] }, cookie)).toMatchObject({
    status: 422,
  });
  const trick = 'presence-lobby:{"user_id":"2"}';
  expect((await ask({ connectionId: "1.2", channels: [trick] }, cookie)).body.channels[trick]).toHaveProperty("error");
  ada.disconnect();
});

test("what the server refuses, and a server that is away, is said with a code", async () => {
  const about = (query: object) => say(shop, { now: 1, text: "x", channels: ["room"], ...query });
  expect(await about({ via: ["wrong"] })).toEqual({ error: "signature_invalid", status: 401, isRetryable: false });
  expect(await about({ via: ["unreachable"] })).toEqual({ error: "unreachable", status: null, isRetryable: true });
  expect(await about({ channels: ["not a channel"] })).toMatchObject({ error: "channel_invalid", status: 400 });
});

test("an answer that is lost on the way costs a moment, and no second event", async () => {
  const proxy = new TcpProxy(shop.server.port);
  await proxy.start();
  atEnd(() => proxy.end());
  appendFileSync(join(shop.cwd, ".env"), `PROXY_URL=http://127.0.0.1:${proxy.port}\n`);
  const reader = await connectUser(shop, 1);
  await reader.subscribe("room");
  proxy.swallow("answers");
  const sent = say(shop, { now: 1, text: "once", channels: ["room"], via: ["proxy"] });
  expect(await reader.next("App\\SaidNow")).toMatchObject({ data: { text: "once" } });
  proxy.mend();
  expect(await sent).toEqual([]);
  await say(shop, { now: 1, text: "last", channels: ["room"] });
  expect(await reader.next("App\\SaidNow")).toMatchObject({ data: { text: "last" } });
});

test("a queued job that runs again publishes nothing twice", async () => {
  const reader = await connectUser(shop, 1);
  await reader.subscribe("room");
  await say(shop, { text: "queued", channels: ["room"], via: ["fanfare", "unreachable"] });
  await shop.get("/fail-once");
  await shop.artisan("queue:work", "--stop-when-empty", "--backoff=0", "--sleep=0");
  await say(shop, { now: 1, text: "last", channels: ["room"] });
  const texts: unknown[] = [];
  while (texts.at(-1) !== "last")
    texts.push(((await reader.next(({ event }) => /Said|fixed/.test(event))) as { data: { text: string } }).data.text);
  expect(texts).toEqual(["queued", "same", "same", "attempt 1", "attempt 2", "last"]);
  await shop.get("/batch");
  for (let n = 1; n <= 25; n++) expect(await reader.next("n")).toMatchObject({ data: n });
});

test("hooks are decided by listeners, by the session, and by routes/channels.php", async () => {
  const { server, origin } = shop;
  const headers = { Origin: origin };
  const cookie = await login(shop, 2);
  await shop.get("/flash", { Cookie: cookie });
  const sessions = () => readdirSync(join(shop.cwd, "storage")).length;
  const before = sessions();
  const banned = await dialNative(server.url, { path: "/?banned=1", headers });
  expect(await banned.next("closing")).toMatchObject({ code: "unauthorized", message: "You are banned." });
  expect(sessions()).toBe(before);
  const bob = await connectNative(server.url, { headers: { ...headers, Cookie: cookie } });
  expect(await shop.get("/flashed", { Cookie: cookie })).toEqual({ said: "hello" });
  expect(bob.welcome.user).toEqual({ id: "2" });
  await bob.subscribe("private-orders.2");
  expect(await bob.ask("subscribe", { channel: "private-orders.1" })).toMatchObject({
    event: "error",
    code: "unauthorized",
  });
  expect(await bob.ask("subscribe", { channel: "private-staff" })).toMatchObject({
    event: "error",
    code: "unauthorized",
  });
  await bob.subscribe("presence-lobby");
  expect(await shop.get("/members/presence-lobby")).toMatchObject([{ id: "2", info: { name: "Bob" } }]);
  await bob.subscribe("room");
  const reader = await connectUser(shop, 1);
  await reader.subscribe("room");
  await bob.ask("publish", { channel: "room", event: "say", data: "spam" });
  await bob.ask("publish", { channel: "room", event: "say", data: "  hello " });
  expect(await reader.next("say")).toMatchObject({ data: "  hello " });
  expect(await bob.ask("whoami", { at: " now " })).toMatchObject({ data: { id: "2", sent: { at: " now " } } });
  expect(await bob.ask("unheard", {})).toMatchObject({ event: "error", code: "internal" });
  const { token } = await shop.get("/token/7");
  expect((await connectNative(server.url, { headers, token })).welcome.user).toEqual({ id: "7" });
});

test("webhooks and the end of a connection become events of Laravel's", async () => {
  const bob = await connectUser(shop, 2);
  await bob.subscribe("presence-lobby");
  bob.close();
  await eventually(async () => {
    const notes: string[] = await shop.get("/notes");
    for (const note of [
      "disconnect of 2",
      "MemberAdded presence-lobby",
      "MemberRemoved presence-lobby",
      "ChannelVacated presence-lobby",
    ])
      expect(notes).toContain(note);
  });
});

test("what is forged, too old or unknown is refused", async () => {
  const { origin, keys } = shop;
  const { key, secret } = keys;
  const post = async (path: string, body: string, signature: string) => {
    const headers = { "X-Pusher-Key": key, "X-Pusher-Signature": signature, "Content-Type": "application/json" };
    return (await fetch(`${origin}/fanfare/${path}`, { method: "POST", body, headers })).status;
  };
  const hook = (timeMs: number, name = "connect") =>
    JSON.stringify({ hook: name, id: "1", time_ms: timeMs, app: "x", connection: { id: "1.2" } });
  const now = hook(Date.now());
  expect(await post("hooks", now, sign(secret, now))).toBe(200);
  expect(await post("hooks", now, sign("wrong", now))).toBe(401);
  const old = hook(Date.now() - 400_000);
  expect(await post("hooks", old, sign(secret, old))).toBe(401);
  const odd = hook(Date.now(), "unknown");
  expect(await post("hooks", odd, sign(secret, odd))).toBe(404);
  const unanswered = hook(Date.now(), "refresh");
  expect(await post("hooks", unanswered, sign(secret, unanswered))).toBe(404);
  const question = { hook: "subscribe", id: "1", time_ms: Date.now(), app: "x", connection: { id: "1.2" } };
  const subscribe = JSON.stringify({ ...question, user: { id: "1" }, channel: "private-orders.1" });
  expect(await post("hooks", subscribe, sign(secret, subscribe))).toBe(200);
  const env = shop.read(".env");
  writeFileSync(join(shop.cwd, ".env"), env.replace("BROADCAST_DRIVER=fanfare", "BROADCAST_DRIVER=log"));
  expect(await post("hooks", subscribe, sign(secret, subscribe))).toBe(500);
  writeFileSync(join(shop.cwd, ".env"), env);
  const webhook = JSON.stringify({ time_ms: 1, events: [] });
  expect(await post("webhook", webhook, sign(secret, webhook))).toBe(204);
  expect(await post("webhook", webhook, sign(secret, `${webhook} `))).toBe(401);
  expect(await post("webhook", "[]", sign(secret, "[]"))).toBe(400);
});

test("kick, ban, subscribe, reconnect and disconnect from PHP", async () => {
  const bob = await connectUser(shop, 2);
  await bob.subscribe("presence-lobby");
  expect(await shop.get("/kick/2")).toEqual({ connections: 1, nodes_missing: 0 });
  expect(await bob.next("unsubscribed")).toMatchObject({ channel: "presence-lobby", message: "Be kind." });
  expect(await bob.ask("subscribe", { channel: "presence-lobby" })).toMatchObject({ event: "error" });
  await shop.get("/unban/2");
  await bob.subscribe("presence-lobby");
  expect(await shop.get("/put/2")).toEqual({ connections: 1, nodes_missing: 0 });
  expect(await bob.next("subscribed")).toMatchObject({ channel: "news" });
  expect(await shop.get("/reconnect/2")).toEqual({ connections: 1, nodes_missing: 0 });
  expect(await bob.next("closing")).toMatchObject({ code: "reconnect" });
  const again = await connectUser(shop, 2);
  expect(await shop.get("/disconnect/2")).toMatchObject({ connections: 1 });
  expect(await again.next("closing")).toMatchObject({ code: "terminated" });
});

test("a user is notified, and the server is asked about connections and history", async () => {
  const bob = await connectUser(shop, 2);
  await bob.subscribe("room");
  await shop.get("/notify/2");
  expect(await bob.next("notification")).toMatchObject({ data: { title: "Paid" } });
  const answer = await shop.get(`/ask/${bob.id}`);
  expect(answer).toMatchObject({
    connections: { items: [{ id: bob.id, user: "2", channels: ["room"] }], next: null },
    info: { occupied: true, subscription_count: 1 },
    put: { connections: 1 },
    taken: { connections: 1 },
    ended: { connections: 1 },
  });
  expect(answer.purged).toBeGreaterThan(0);
  expect(answer.position.offset).toBeGreaterThanOrEqual(answer.purged);
  expect(await bob.next("subscribed")).toMatchObject({ channel: "news" });
  expect(await bob.next("unsubscribed")).toMatchObject({ channel: "news", message: "No news." });
  expect(await bob.next("closing")).toMatchObject({ message: "Bye." });
});

test("clients say what they do, who may watches unseen, and who somebody is now reaches the members", async () => {
  const ada = await connectUser(shop, 1, "/?named=1");
  expect((await ada.subscribe("presence-hall")).data).toMatchObject({ members: [{ id: "1", info: { name: "Ada" } }] });
  const bob = await connectUser(shop, 2, "/?named=1");
  const watching = await bob.subscribe("presence-hall", { presence: "watch" });
  expect(watching.data).toMatchObject({ members: [{ id: "1", info: { name: "Ada" } }] });
  const another = await connectUser(shop, 1, "/?named=1");
  const refused = await another.ask("subscribe", { channel: "presence-hall", presence: "watch" });
  expect(refused).toMatchObject({ event: "error", code: "unauthorized" });
  await ada.ask("presence", { channel: "presence-hall", state: { typing: true } });
  expect(await bob.next("member_updated")).toMatchObject({ data: { user: { id: "1", state: { typing: true } } } });
  expect(await shop.get("/members/presence-hall")).toMatchObject([
    { id: "1", info: { name: "Ada" }, state: { typing: true } },
  ]);
  await shop.get("/rename/1/Augusta");
  expect(await ada.ask("authenticate", { anew: true })).toMatchObject({ event: "authenticated" });
  expect(await bob.next("member_updated")).toMatchObject({ data: { user: { id: "1", info: { name: "Augusta" } } } });
  expect(await shop.get("/members/presence-hall")).toMatchObject([
    { info: { name: "Augusta" }, state: { typing: true } },
  ]);
  await shop.get("/rename/1/Ada");
  ada.close();
  expect(await bob.next("member_removed")).toMatchObject({ data: { user: { id: "1" } } });
});

test("a user is in a channel for a while, and one event is forgotten", async () => {
  const bob = await connectUser(shop, 2);
  expect(await shop.get("/put-briefly/2")).toMatchObject({ connections: 1 });
  expect(await bob.next("subscribed")).toMatchObject({ channel: "news", by: "server" });
  expect(await bob.next("unsubscribed")).toMatchObject({ channel: "news", code: "permission_gone" });
  await shop.get("/publish?channel=room&key=forgotten");
  expect(await shop.get("/forget")).toEqual({ forgotten: true });
  expect(await shop.get("/forget")).toEqual({ forgotten: false });
});

test("a user of pusher-js signs in", async () => {
  const echo = openEcho(shop, await login(shop, 1), false);
  const { pusher } = echo.connector as unknown as { pusher: Pusher };
  const signedIn = new Promise((resolve) =>
    pusher.connection.bind(
      "message",
      ({ event, data }: { event: string; data: unknown }) => event === "pusher:signin_success" && resolve(data),
    ),
  );
  pusher.signin();
  expect(await signedIn).toMatchObject({ user_data: '{"id":"1","user_info":{"name":"Ada"}}' });
});

test("an event is published with its transaction, and not after a rollback", async () => {
  const ada = await connectUser(shop, 1);
  await ada.subscribe("private-orders.1");
  expect(await shop.get("/order/one?fails=1")).toEqual({ orders: 0 });
  expect(await shop.get("/order/two")).toEqual({ orders: 1 });
  expect(await ada.next("App\\SaidNow")).toMatchObject({ channel: "private-orders.1", data: { text: "two" } });
});

/** What Laravel 11 and newer have in bootstrap/app.php. Older ones could not run it, and here it is text alone. */
const ROUTING = `/*
    ->withRouting(
        web: __DIR__.'/../routes/web.php',
        commands: __DIR__.'/../routes/console.php',
        health: '/up',
    )
*/`;

test("fanfare:install fills in what is missing, switches routes/channels.php on, and changes nothing when it runs again", async () => {
  const { cwd, artisan, read } = await makeApplication(`${ENV}APP_URL=https://shop.example\n`);
  const edit = (file: string, change: (text: string) => string) => writeFileSync(join(cwd, file), change(read(file)));
  edit("app/AppProvider.php", (text) => text.replace("Broadcast::routes();", ""));
  rmSync(join(cwd, "routes", "channels.php"));
  const printed = await artisan("fanfare:install", "--hooks");
  expect(printed).toContain("filled in: PUSHER_APP_ID, PUSHER_APP_KEY, PUSHER_APP_SECRET, PUSHER_HOST, PUSHER_PORT");
  expect(read(".env")).toMatch(/^BROADCAST_DRIVER=fanfare$/m);
  expect(read(".env")).toMatch(/^PUSHER_HOST=127.0.0.1\nPUSHER_PORT=9501\nPUSHER_SCHEME=http$/m);
  expect(read(".env")).toMatch(/^VITE_PUSHER_HOST="\$\{PUSHER_HOST\}"$/m);
  expect(read("config/app.php")).toContain("\n        App\\Providers\\BroadcastServiceProvider::class,");
  expect(read("config/fanfare.php")).toBe(readFileSync(join(PACKAGE, "config", "fanfare.php"), "utf8"));
  expect(read("routes/channels.php")).toContain("Broadcast::channel('App.Models.User.{id}'");
  const { apps, webhooks } = JSON.parse(read("fanfare.config.json"));
  expect(apps).toMatchObject([
    { allowedOrigins: ["https://shop.example"], hooks: { url: "https://shop.example/fanfare/hooks" } },
  ]);
  expect([Object.keys(apps[0]).includes("secret"), webhooks]).toEqual([false, undefined]);

  edit("config/app.php", (text) => text.replace("        App\\Providers\\BroadcastServiceProvider::class,", ""));
  edit("bootstrap/app.php", (text) => `${text}${ROUTING}\n`);
  edit(".env", (text) => text.replace(/^PUSHER_APP_SECRET=.*$/m, "PUSHER_APP_SECRET="));
  expect(await artisan("fanfare:install")).toContain("filled in: PUSHER_APP_SECRET.");
  const files = [".env", "config/app.php", "config/fanfare.php", "routes/channels.php", "fanfare.config.json"];
  const before = files.map(read);
  expect(await artisan("fanfare:install", "--hooks")).toContain("fanfare.config.json is there already");
  expect(files.map(read)).toEqual(before);
  expect(read("bootstrap/app.php")).toContain(
    "console.php',\n        channels: __DIR__.'/../routes/channels.php',\n        health:",
  );
  expect(await artisan("fanfare:install")).toContain("Nothing answers /broadcasting/auth yet");
});

test("the PHP of the package's README is PHP", async () => {
  const text = readFileSync(join(PACKAGE, "README.md"), "utf8");
  const blocks = [...text.matchAll(/^```php\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  expect(blocks.length).toBeGreaterThan(4);
  const cwd = temporaryFolder();
  writeFileSync(
    join(cwd, "block.php"),
    `<?php\n${blocks.map((block, at) => `namespace Block${at} {\n${block}}\n`).join("")}`,
  );
  await run([external("php"), "-l", "block.php"], cwd);
});
