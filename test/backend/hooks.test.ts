/** What a back end is asked over HTTP, and what becomes of its answers: a real server, real sockets, real requests. */

import { describe, expect, test } from "bun:test";
import Pusher from "pusher";
import { startBackEnd } from "../support/back-end.ts";
import { eventually } from "../support/eventually.ts";
import { scrape } from "../support/metrics.ts";
import { connectAs, connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { connectPusher, dialPusher, trigger } from "../support/pusher-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";

type Answers = Parameters<typeof startBackEnd>[0];
type Hooks = NonNullable<AppInput["hooks"]>;

async function setUp(hooks: Omit<Hooks, "url">, answers: Answers = {}, app: Partial<AppInput> = {}) {
  const backEnd = startBackEnd(answers);
  const server = await startServer({}, { anonymous: true, hooks: { url: backEnd.url, ...hooks }, ...app });
  return { backEnd, url: server.url, server };
}

describe("connect", () => {
  test("a native client is whom the back end says, may what it says, and never sees its meta, which later hooks carry", async () => {
    const { backEnd, url } = await setUp(
      { connect: true, subscribe: true, forward: ["X-Device"] },
      {
        connect: () => ({
          user: { id: "ada", info: { big: 1 } },
          channels: ["private-team.*"],
          meta: { plan: "pro" },
        }),
      },
    );
    const client = await connectNative(`${url}`, {
      path: "/",
      headers: { "X-Device": "phone", Origin: "https://a.example" },
    });
    expect(client.welcome.user).toEqual({ id: "ada", info: { big: 1 } });
    expect(JSON.stringify(client.welcome)).not.toContain("pro");
    await client.subscribe("private-team.1");
    expect(backEnd.of("subscribe")).toEqual([]);
    await client.subscribe("private-other");
    const [connect, subscribe] = backEnd.questions;
    expect(connect?.asked).toMatchObject({
      ...{ hook: "connect", app: APP.id, user: null, query: {}, token: null },
      connection: { id: client.id, address: "127.0.0.1", transport: "websocket", protocol: "native" },
    });
    expect(connect?.headers).toMatchObject({ "x-device": "phone", origin: "https://a.example" });
    expect(subscribe?.asked).toMatchObject({
      ...{ hook: "subscribe", channel: "private-other", proven: false, user: { id: "ada", info: { big: 1 } } },
      connection: { id: client.id, meta: { plan: "pro" } },
    });
    expect(subscribe?.headers).toMatchObject({ "x-device": "phone", "idempotency-key": subscribe?.asked.id });
    expect(backEnd.unsigned).toEqual([]);
    const library = new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: "x" });
    for (const { headers, body } of backEnd.questions) {
      expect(library.webhook({ headers, rawBody: body }).isValid()).toBe(true);
    }
  });

  test("a Pusher client is signed in by it, without a signature of its own", async () => {
    const { url } = await setUp({ connect: true }, { connect: () => ({ user: { id: 7 }, channels: ["private-*"] }) });
    const client = await connectPusher(url);
    expect((await client.socket.next("pusher:signin_success")).data).toBe(
      JSON.stringify({ user_data: '{"id":"7","user_info":null}' }),
    );
    client.socket.send({ event: "pusher:subscribe", data: { channel: "private-a" } });
    await client.socket.next("pusher_internal:subscription_succeeded");
  });

  test("a client is put into the channels that it names, and one that cannot be is refused and seen", async () => {
    const subscribe = ["#server-to-user-bob", "no such name", "news", "presence-hall", "private-ada"];
    const { backEnd, server } = await setUp(
      { connect: true, authenticate: true },
      {
        connect: () => ({ user: { id: "ada", info: { name: "Ada" } }, subscribe, token: true }),
        authenticate: () => ({ user: { id: "ada" }, subscribe: ["later"] }),
      },
    );
    const client = await connectNative(server.url);
    for (const channel of subscribe.slice(2)) {
      expect(await client.next("subscribed")).toMatchObject({ channel, by: "server" });
    }
    expect(await server.members("presence-hall")).toMatchObject([{ id: "ada", info: { name: "Ada" } }]);
    await trigger(server.url, APP, { name: "said", channel: "news", data: "1" });
    expect(await client.next("said")).toMatchObject({ channel: "news" });
    await client.ask("authenticate", { any: "thing" });
    expect(await client.next("subscribed")).toMatchObject({ channel: "later", by: "server" });
    await client.close();
    // By the token of its welcome it comes back without the back end's being asked, into the same channels.
    const again = await connectNative(server.url, { token: client.welcome.reconnectToken ?? "" });
    expect(await again.next("subscribed")).toMatchObject({ channel: "news", by: "server" });
    expect(backEnd.of("connect")).toHaveLength(1);
    const refused = (await scrape(server.url)).get("fanfare_commands_refused_total{app=app,why=channel_invalid}");
    expect(refused).toBeGreaterThan(1);
    const pusher = await connectPusher(server.url);
    expect(await pusher.next("pusher_internal:subscription_succeeded")).toMatchObject({ channel: "news" });
    const { url } = await setUp({ connect: true }, { connect: () => ({ subscribe: ["news"] }) });
    expect(await (await dialNative(url)).next("closing")).toMatchObject({ code: "internal" });
  });

  test("it is told what the token claims, may overrule it, and may know whom a token names that is none of ours", async () => {
    const { backEnd, url } = await setUp(
      { connect: true },
      {
        connect: ({ token }) =>
          (token as { text?: string } | null)?.text === "opaque" ? { user: { id: "eve" } } : { user: { id: "bob" } },
      },
    );
    expect((await connectAs(url, "ada", { plan: "x" })).welcome.user).toEqual({ id: "bob" });
    expect((await connectNative(url, { token: "opaque" })).welcome.user).toEqual({ id: "eve" });
    const [first, second] = backEnd.of("connect");
    expect(first).toMatchObject({ user: { id: "ada" }, token: { claims: { sub: "ada", plan: "x" } } });
    expect(second).toMatchObject({ user: null, token: { text: "opaque" } });
  });

  test("without a word of it the token counts as before: a good one, and a bad one", async () => {
    const { url } = await setUp({ connect: true });
    expect((await connectAs(url, "ada")).welcome.user).toEqual({ id: "ada" });
    const refused = await dialNative(url, { token: "opaque" });
    expect(await refused.next("closing")).toMatchObject({ code: "token_invalid", reconnect: "never" });
  });

  test("a client that says by its first frame who it is is asked about once that frame is there", async () => {
    const { backEnd, url } = await setUp(
      { connect: true, authenticate: true },
      {
        authenticate: ({ data }) => ({ user: { id: (data as { name: string }).name } }),
      },
    );
    const client = await connectNative(url, { credentials: { token: await makeToken({ sub: "ada" }) } });
    expect(client.welcome.user).toEqual({ id: "ada" });
    expect(backEnd.of("connect")).toMatchObject([{ user: { id: "ada" }, token: { claims: { sub: "ada" } } }]);
    const other = await connectNative(url, { credentials: { name: "eve", password: "x" } });
    expect(other.welcome.user).toEqual({ id: "eve" });
    expect(backEnd.questions).toHaveLength(2);
  });

  test.each([
    [
      "401 with a reason",
      () => Response.json({ message: "Log in." }, { status: 401 }),
      "unauthorized",
      "never",
      "Log in.",
    ],
    ["a refusal", () => ({ refuse: { message: "Not you." } }), "unauthorized", "never", "Not you."],
    [
      "to come back later",
      () => ({ close: { message: "Full.", reconnect: "later" } }),
      "reconnect_later",
      "later",
      "Full.",
    ],
    [
      "to come back now",
      () => ({ close: { reconnect: "now" } }),
      "reconnect",
      "now",
      "The app's back end refused this.",
    ],
    ["429", () => 429, "backend_unavailable", "later", "The app's back end is asked too often."],
    ["404", () => 404, "internal", "later", "Something went wrong on the server."],
  ])("%s ends both kinds of client", async (_, answer, code, reconnect, message) => {
    const { url } = await setUp({ connect: true }, { connect: answer });
    const native = await dialNative(url);
    expect(await native.next("closing")).toMatchObject({ code, reconnect, message });
    const number = { never: 4009, later: 4100, now: 4200 }[reconnect];
    expect((await native.closed).code).toBe(number as number);
    expect((await (await dialPusher(url)).closed).code).toBe(number as number);
  });
});

test.each([
  ["-5", 1],
  ["Infinity", 1],
  ["99999999999999999999", 3_600],
  ["7", 7],
])("a Retry-After of %s has the client wait for %d s", async (retryAfter, seconds) => {
  const { url } = await setUp(
    { connect: true, subscribe: { channels: ["private-*"] } },
    {
      connect: () => ({}),
      subscribe: () => new Response(null, { status: 429, headers: { "Retry-After": retryAfter } }),
    },
  );
  const client = await connectNative(url);
  expect(await client.ask("subscribe", { channel: "private-a" })).toMatchObject({
    ...{ event: "error", code: "rate_limited", retryAfterMs: seconds * 1000 },
  });
});

test("subscribe: refused with the back end's own word, or entered as the member that it names", async () => {
  const { url } = await setUp(
    { subscribe: { channels: ["private-*", "presence-*"] } },
    {
      subscribe: ({ channel }) =>
        channel === "private-no"
          ? { refuse: { code: "plan.too_small", message: "Upgrade first." } }
          : { member: { id: 12345678901234567890n.toString(), info: { name: "Ada" } } },
    },
  );
  const client = await connectNative(url);
  expect(await client.ask("subscribe", { channel: "private-no" })).toMatchObject({
    ...{ event: "error", code: "plan.too_small", message: "Upgrade first.", channel: "private-no" },
  });
  const member = { id: "12345678901234567890", info: { name: "Ada" } };
  expect((await client.subscribe("presence-a")).data).toEqual({ members: [member] });
  const pusher = await connectPusher(url);
  pusher.socket.send({ event: "pusher:subscribe", data: { channel: "private-no" } });
  expect(await pusher.socket.next("pusher:subscription_error")).toMatchObject({
    data: expect.stringContaining('"code":"plan.too_small"'),
  });
});

test('subscribe, when "always": public and signed channels are asked about too, and the member may be another', async () => {
  const { backEnd, url } = await setUp(
    { subscribe: { channels: ["*"], when: "always" } },
    { subscribe: ({ channel }) => (channel === "closed" ? 403 : { member: { id: "renamed" } }) },
  );
  const client = await connectNative(url);
  await client.subscribe("open");
  expect(await client.ask("subscribe", { channel: "closed" })).toMatchObject({ code: "unauthorized" });
  const answer = await client.subscribe("presence-a", client.permission("presence-a", { user_id: "ada" }));
  expect(answer.data).toEqual({ members: [{ id: "renamed" }] });
  expect(backEnd.of("subscribe").at(-1)).toMatchObject({ proven: true, data: { user_id: "ada" } });
});

test("subscribe, of one who wants to watch: only where the back end says so in a word of its own, or named the channel before", async () => {
  const { backEnd, url } = await setUp(
    { connect: true, subscribe: { channels: ["presence-*"] } },
    {
      connect: () => ({ user: { id: "eve" }, watch: ["presence-known"] }),
      subscribe: ({ channel }) => (channel === "presence-a" ? { watch: true } : { member: { id: "eve" } }),
    },
  );
  const client = await connectNative(url);
  const watch = (channel: string) => client.ask("subscribe", { channel, presence: "watch" });
  expect(await watch("presence-a")).toMatchObject({ event: "subscribed", data: { members: [] } } as never);
  expect(backEnd.of("subscribe").at(-1)).toMatchObject({ channel: "presence-a", proven: false, watch: true });
  expect(await watch("presence-b")).toMatchObject({ event: "error", code: "unauthorized" });
  const { length: asked } = backEnd.of("subscribe");
  expect(await watch("presence-known")).toMatchObject({ event: "subscribed" });
  expect(backEnd.of("subscribe")).toHaveLength(asked);
  await client.subscribe("presence-b");
  expect(backEnd.of("subscribe").at(-1)).not.toHaveProperty("watch");
});

test("publish: passed, changed, dropped, kept out of history, refused; of both kinds of client", async () => {
  const { backEnd, url, server } = await setUp(
    { publish: { channels: ["chat*", "private-*"] } },
    {
      publish: ({ payload }) => {
        if (payload === "rude") return { refuse: { message: "Be kind." } };
        if (payload === "spam") return { drop: true };
        if (payload === "brief") return { ephemeral: true };
        return payload === "change me" ? { payload: { n: 1 }, event: "client-changed" } : 204;
      },
    },
    { channels: [{ match: "*", clientPublish: "any", history: {} }] },
  );
  const [reader, writer] = [await connectNative(url), await connectNative(url)];
  for (const client of [reader, writer]) await client.subscribe("chat");
  const publish = (data: unknown) => writer.ask("publish", { channel: "chat", event: "client-say", data });
  expect(await publish("as it is")).toMatchObject({ event: "published" });
  expect(await publish("spam")).toMatchObject({ event: "published" });
  expect(await publish("change me")).toMatchObject({ event: "published" });
  expect(await publish("brief")).toMatchObject({ event: "published" });
  expect(await publish("rude")).toMatchObject({ event: "error", code: "publish_forbidden", message: "Be kind." });
  expect(await reader.next("client-say")).toMatchObject({ data: "as it is" });
  expect(await reader.next("client-changed")).toMatchObject({ data: { n: 1 } });
  expect(await reader.next("client-say")).toMatchObject({ data: "brief" });
  const history = await reader.ask("history", { channel: "chat" });
  expect((history.data as { events: object[] }).events).toMatchObject([{ data: "as it is" }, { data: { n: 1 } }]);
  const pusher = await connectPusher(url);
  await pusher.subscribe("private-a");
  pusher.socket.send({ event: "client-x", channel: "private-a", data: "rude" });
  expect(await pusher.socket.next("pusher:error")).toMatchObject({ data: { message: "Be kind." } });
  expect(backEnd.of("publish").at(-1)).toMatchObject({ channel: "private-a", event: "client-x", payload: "rude" });
  const asked = backEnd.questions.length;
  await server.toChannel("chat").push({ event: "from-us", data: 1 });
  await reader.next("from-us");
  expect(backEnd.questions).toHaveLength(asked);
});

test("a slow answer delays only the client that waits for it, whose events stay in order", async () => {
  const first = Promise.withResolvers<void>();
  const { url } = await setUp(
    { publish: { channels: ["slow"] } },
    { publish: ({ payload }) => (payload === 1 ? first.promise.then(() => 204) : 204) },
    { channels: [{ match: "*", clientPublish: "any" }] },
  );
  const [reader, slow, quick] = [await connectNative(url), await connectNative(url), await connectNative(url)];
  for (const client of [reader, slow]) await client.subscribe("slow");
  for (const client of [reader, quick]) await client.subscribe("quick");
  slow.send("publish", { channel: "slow", event: "n", data: 1 });
  slow.send("publish", { channel: "slow", event: "n", data: 2 });
  await quick.ask("publish", { channel: "quick", event: "q", data: 0 });
  await reader.next("q");
  first.resolve();
  expect(await reader.next("n")).toMatchObject({ data: 1 });
  expect(await reader.next("n")).toMatchObject({ data: 2 });
});

test("call: the result is the answer; the program's own handler goes first; other events nobody handles", async () => {
  const { url, server } = await setUp(
    { call: { events: ["order.*"] } },
    {
      call: ({ event, data }) => (event === "order.bad" ? { refuse: { code: "sold_out" } } : { result: { got: data } }),
    },
  );
  server.handle("order.own", () => "ours");
  const client = await connectNative(url);
  expect(await client.ask("order.make", { n: 1 })).toMatchObject({ event: "result", data: { got: { n: 1 } } });
  expect(await client.ask("order.bad")).toMatchObject({ event: "error", code: "sold_out" });
  expect(await client.ask("order.own")).toMatchObject({ event: "result", data: "ours" });
  expect(await client.ask("else")).toMatchObject({ event: "error", code: "unknown_command" });
});

test("authenticate: the back end says who somebody is on an open connection", async () => {
  const { url } = await setUp(
    { authenticate: true },
    { authenticate: ({ data }) => ((data as { pin?: number }).pin === 1 ? { user: { id: "ada" } } : 403) },
  );
  const client = await connectNative(url);
  expect(await client.ask("authenticate", { pin: 2 })).toMatchObject({ event: "error", code: "unauthorized" });
  expect(await client.ask("authenticate", { pin: 1 })).toMatchObject({
    event: "authenticated",
    data: { user: { id: "ada" } },
  });
});

test("cookies go along only for pages that the app lists, and without that the configuration is refused", async () => {
  const { backEnd, url } = await setUp(
    { connect: true, forward: ["cookie"] },
    {},
    { allowedOrigins: ["https://shop.example"] },
  );
  await connectNative(url, { headers: { Cookie: "s=1", Origin: "https://shop.example" } });
  await connectNative(url, { headers: { Cookie: "s=2" } });
  expect(backEnd.questions.map(({ headers }) => headers.cookie)).toEqual(["s=1", undefined]);
  const noOrigins = startServer({}, { hooks: { url: "https://x.example/", connect: true, forward: ["cookie"] } });
  expect(noOrigins).rejects.toThrow("`apps[0].hooks.forward` has `cookie`, which needs the app's `allowedOrigins`");
  const noAddress = startServer({}, { hooks: { connect: true } });
  expect(noAddress).rejects.toThrow("`apps[0].hooks.connect` has no address");
  const notForwardable = startServer({}, { hooks: { url: "https://x.example/", forward: ["X-Forwarded-For"] } });
  expect(notForwardable).rejects.toThrow("apps[0].hooks.forward[0]");
});

test("the dashboard's feed and the log have the back end's answer; the client has not", async () => {
  const { url, server } = await setUp(
    { subscribe: true },
    { subscribe: () => new Response("<h1>Whoops</h1>", { status: 500 }) },
  );
  const client = await connectNative(url);
  const refused = await client.ask("subscribe", { channel: "private-a" });
  expect(refused).toMatchObject({ event: "error", code: "backend_unavailable", retryAfterMs: expect.any(Number) });
  expect(JSON.stringify(refused)).not.toContain("Whoops");
  await eventually(async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('fanfare_hooks_total{app="app",hook="subscribe",outcome="failed"} 1');
  });
});
