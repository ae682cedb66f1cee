/** What can be done at the dashboard, and that it is written down: events, disconnecting, apps, statistics, webhooks, draining. */

import { describe, expect, test } from "bun:test";
import type {
  AppDetail,
  AppWithSecret,
  AuditEntry,
  ChannelDetail,
  ChannelList,
  Explanation,
  NodeEntry,
  OutboxEntry,
  Overview,
  Series,
  Webhooks,
} from "../../packages/server/src/admin/api-types.ts";
import { auditAppActs } from "../../packages/server/src/admin/audit-log.ts";
import type { Steered } from "../../packages/server/src/domain/hub-event.ts";
import { startOutbox } from "../outbox/databases.ts";
import { startBackEnd } from "../support/back-end.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock, fakeApp } from "../support/fakes.ts";
import { scrape } from "../support/metrics.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { channelAuth, connectPusher, signedFetch } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { startWorkers } from "../support/workers.ts";
import { SIGNED, signedIn, USERS, type Visitor } from "./visitor.ts";

const auditOf = async (visitor: Visitor) => (await visitor.ask<AuditEntry[]>("api/audit")).body;

describe("the event creator (B32)", () => {
  test("sends what a back end would, to clients of both protocols, and writes down where to", async () => {
    const { url } = await startServer(SIGNED);
    const otto = await signedIn(url, "otto");
    const [native, pusher] = [await connectNative(url), await connectPusher(url)];
    await native.subscribe("orders");
    await pusher.subscribe("orders");
    const sent = await otto.post("api/apps/app/events", {
      channel: "orders",
      event: "paid",
      data: '{"sum":7,"token":"hush"}',
    });
    expect(sent.body).toEqual({ outcome: "done" });
    expect((await native.next("paid")).data).toEqual({ sum: 7, token: "hush" });
    expect((await pusher.next("paid")).data).toBe('{"sum":7,"token":"hush"}');
    const [entry] = await auditOf(otto);
    expect(entry).toMatchObject({
      who: "otto",
      what: "event.send",
      detail: { app: "app", channel: "orders", event: "paid" },
    });
    expect(JSON.stringify(entry)).not.toContain("hush");
  });

  test.each([
    [{ channel: "no spaces", event: "x", data: "1" }, "letters"],
    [{ channel: "x", event: "pusher:secret", data: "1" }, "reserved"],
    [{ channel: "x", event: "", data: "1" }, "event name"],
    [{ channel: "x", event: "y", data: "x".repeat(200_000) }, "eventDataBytes"],
    [{ channel: "x", event: "y" }, "data"],
    ["not JSON", "JSON"],
  ])("refuses %j, and says why", async (body, why) => {
    const { url } = await startServer(SIGNED);
    const answer = await (await signedIn(url, "otto")).post<{ error: { message: string } }>(
      "api/apps/app/events",
      body,
    );
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(why)]);
  });
});

describe("connections and users", async () => {
  const asked = await startServer(SIGNED);

  test("are ended for good, in words of one's own", async () => {
    const { url } = await startServer(SIGNED);
    const otto = await signedIn(url, "otto");
    const [client, ada] = [await connectNative(url), await connectAs(url, "ada")];
    const done = await otto.post(`api/apps/app/connections/${client.id}/disconnect`, { message: "Please update." });
    expect(done.body).toEqual({ outcome: "done", connections: 1, nodesMissing: 0 });
    expect(await client.next("closing")).toMatchObject({
      code: "terminated",
      message: "Please update.",
      reconnect: "never",
    });
    await eventually(async () => {
      await otto.post("api/apps/app/users/ada/terminate");
      expect(ada.socket.frames.at(-1)?.event).toBe("closing");
    });
    expect((await auditOf(otto)).map(({ what }) => what)).toContain("connection.disconnect");
    expect((await auditOf(otto)).map(({ what }) => what)).toContain("user.terminate");
    const gone = await otto.post("api/apps/app/connections/1.1/disconnect");
    expect(gone.body).toEqual({ outcome: "done", connections: 0, nodesMissing: 0 });
  });

  test("are put into channels, taken out, kept out, and asked to reconnect; each act says how many it reached, and is written down once", async () => {
    const { url } = await startServer(SIGNED);
    const otto = await signedIn(url, "otto");
    const [ada, guest] = [await connectAs(url, "ada"), await connectNative(url)];
    await ada.ping();
    const order = async (what: string, body: object) => (await otto.post(`api/apps/app/${what}`, body)).body;
    const reached = (connections: number) => ({ outcome: "done", connections, nodesMissing: 0 });

    expect(await order("subscribe", { channel: "hall", user: "ada", stickyS: 60 })).toEqual(reached(1));
    expect(await ada.next("subscribed")).toMatchObject({ channel: "hall", by: "server" });
    const later = await connectAs(url, "ada");
    expect(await later.next("subscribed")).toMatchObject({ channel: "hall", by: "server" });
    expect(await order("subscribe", { channel: "hall", connection: guest.id })).toEqual(reached(1));
    expect(await guest.next("subscribed")).toMatchObject({ channel: "hall" });
    expect(await order("unsubscribe", { channel: "hall", user: "ada", message: "Over." })).toEqual(reached(2));
    for (const client of [ada, later])
      expect(await client.next("unsubscribed")).toMatchObject({ code: "unsubscribed", message: "Over." });

    await ada.subscribe("hall");
    expect(await order("kick", { channel: "hall", user: "ada", banS: 60 })).toEqual(reached(1));
    expect(await ada.next("unsubscribed")).toMatchObject({ code: "kicked" });
    expect(await ada.ask("subscribe", { channel: "hall" })).toMatchObject({ code: "unauthorized" });
    expect(await order("unban", { channel: "hall", user: "ada" })).toEqual({ outcome: "done" });
    await ada.subscribe("hall");
    expect(await order("kick", { channel: "hall", connection: ada.id })).toEqual(reached(1));
    expect(await ada.next("unsubscribed")).toMatchObject({ code: "kicked" });
    expect(await order("kick", { channel: "hall", all: true })).toEqual(reached(1));
    expect(await guest.next("unsubscribed")).toMatchObject({ channel: "hall" });
    await guest.subscribe("lobby");
    expect(await order("reconnect", { channel: "lobby" })).toEqual(reached(1));
    expect(await guest.next("closing")).toMatchObject({ code: "reconnect", reconnect: "now" });
    expect(await order("reconnect", { user: "ada", spreadMs: 1_000 })).toEqual(reached(2));

    const told = (await auditOf(otto)).toReversed().filter(({ what }) => what !== "session.start");
    expect(told.map(({ who, what, detail: { app, ...detail } }) => [who, app, what, detail])).toEqual([
      ["otto", "app", "channel.subscribe", { user: "ada", channel: "hall", stickyS: 60, connections: 1 }],
      ["otto", "app", "channel.subscribe", { connection: guest.id, channel: "hall", connections: 1 }],
      ["otto", "app", "channel.unsubscribe", { user: "ada", channel: "hall", connections: 2 }],
      ["otto", "app", "user.ban", { user: "ada", channel: "hall", banS: 60, connections: 1 }],
      ["otto", "app", "user.unban", { user: "ada", channel: "hall" }],
      ["otto", "app", "channel.kick", { connection: ada.id, channel: "hall", connections: 1 }],
      ["otto", "app", "channel.kick", { channel: "hall", connections: 1 }],
      ["otto", "app", "connection.reconnect", { channel: "lobby", connections: 1 }],
      ["otto", "app", "connection.reconnect", { user: "ada", connections: 2 }],
    ]);
    const samples = await scrape(url);
    const counts = { subscribe: 2, unsubscribe: 1, kick: 2, ban: 1, unban: 1, disconnect: 0, reconnect: 2 };
    for (const [act, count] of Object.entries(counts)) {
      expect([act, samples.get(`fanfare_steering_total{act=${act},app=app}`)]).toEqual([act, count]);
    }
  });

  test.each([
    ["kick", { channel: "hall" }, "one of"],
    ["kick", { channel: "hall", user: "ada", all: true }, "one of"],
    ["kick", { channel: "hall", all: true, banS: 60 }, "banS"],
    ["kick", { channel: "hall", user: "ada", banS: 0 }, "banS"],
    ["kick", { channel: "#online-ada", all: true }, "letters"],
    ["subscribe", { channel: "no spaces", user: "ada" }, "letters"],
    ["subscribe", { channel: "hall", connection: "1.1", stickyS: 60 }, "stickyS"],
    ["unsubscribe", { channel: "hall", user: "" }, "user"],
    ["unban", { channel: "hall" }, "user"],
    ["reconnect", { spreadMs: 5 }, "one of"],
    ["reconnect", { user: "ada", spreadMs: 1e9 }, "spreadMs"],
    ["purge", { channel: "hall", toMs: 5, before: { epoch: "a", offset: 1 } }, "exclude"],
    ["purge", { channel: "hall", to: 5 }, "to"],
  ])("%s refuses %j, and says why", async (what, body, why) => {
    const otto = await signedIn(asked.url, "otto");
    const answer = await otto.post<{ error: { message: string } }>(`api/apps/app/${what}`, body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(why)]);
    expect((await auditOf(otto)).map(({ what }) => what)).not.toContain("channel.kick");
  });
});

describe("what a channel keeps", () => {
  test("is forgotten in part, one event of it, or all", async () => {
    const kept = [{ match: "log", history: { size: 10 } }];
    const { url } = await startServer({ ...SIGNED, apps: [{ ...APP, anonymous: true, channels: kept }] });
    const otto = await signedIn(url, "otto");
    for (const n of [1, 2, 3, 4, 5]) {
      const body = { name: "line", channel: "log", data: String(n) };
      await signedFetch(url, APP, "POST", "/events", { body });
    }
    const client = await connectNative(url);
    await client.subscribe("log");
    const shown = async () => (await otto.ask<ChannelDetail>("api/apps/app/channel?name=log")).body.kept;
    const [, second, third] = await shown();
    const forget = (part: object) => otto.post("api/apps/app/purge", { channel: "log", ...part });
    expect((await forget({ event: third?.position })).body).toEqual({ purged: 1 });
    expect((await forget({ before: second?.position })).body).toEqual({ purged: 1 });
    expect((await shown()).map(({ payload }) => payload.text)).toEqual(["2", "4", "5"]);
    expect((await forget({ toMs: 5 })).body).toEqual({ purged: 0 });
    expect((await forget({ event: { epoch: "gone", offset: 4 } })).status).toBe(409);
    expect((await forget({})).body).toEqual({ purged: 3 });
    expect(await shown()).toEqual([]);
    const told = (await auditOf(otto)).filter(({ what }) => what === "history.purge").toReversed();
    expect(told.map(({ who, detail: { app, channel, ...detail } }) => [who, app, channel, detail])).toEqual([
      ["otto", "app", "log", { event: third?.position, purged: 1 }],
      ["otto", "app", "log", { before: second?.position, purged: 1 }],
      ["otto", "app", "log", { toMs: 5, purged: 0 }],
      ["otto", "app", "log", { event: { epoch: "gone", offset: 4 }, purged: 0 }],
      ["otto", "app", "log", { purged: 3 }],
    ]);
  });
});

describe("what back ends and programs do", () => {
  test("is written down, once, and counted", async () => {
    const server = await startServer(SIGNED);
    const { url } = server;
    const otto = await signedIn(url, "otto");
    const client = await connectAs(url, "ada");
    await client.subscribe("hall");
    const post = (path: string, body: object = {}) => signedFetch(url, APP, "POST", path, { body });
    await post("/channels/hall/kick", { user_id: "ada", ban_s: 60 });
    await post("/channels/hall/unban", { user_id: "ada" });
    await server.channel("hall").kick();
    await post("/users/ada/subscribe", { channel: "news" });
    await post("/users/ada/reconnect");
    await post("/connections/1.1/disconnect");
    await otto.post("api/apps/app/users/ada/terminate");
    const told = (await auditOf(otto)).toReversed().filter(({ what }) => what !== "session.start");
    expect(told.map(({ who, what, detail }) => [who, what, detail])).toEqual([
      ["app app", "user.ban", { app: "app", user: "ada", channel: "hall", connections: 1 }],
      ["app app", "user.unban", { app: "app", user: "ada", channel: "hall", connections: 0 }],
      ["app app", "channel.kick", { app: "app", channel: "hall", connections: 0 }],
      ["app app", "channel.subscribe", { app: "app", user: "ada", channel: "news", connections: 1 }],
      ["app app", "connection.reconnect", { app: "app", user: "ada", connections: 1 }],
      ["app app", "connection.disconnect", { app: "app", connection: "1.1", connections: 0 }],
      ["otto", "user.terminate", { app: "app", user: "ada", connections: 0 }],
    ]);
    const samples = await scrape(url);
    const counts = { subscribe: 1, unsubscribe: 0, kick: 1, ban: 1, unban: 1, disconnect: 2, reconnect: 1 };
    for (const [act, count] of Object.entries(counts)) {
      expect([act, samples.get(`fanfare_steering_total{act=${act},app=app}`)]).toEqual([act, count]);
    }
  });
});

test("what a back end does for each of its users, all day, is written down at a bounded rate, and what is left out is counted", () => {
  const clock = new FakeClock();
  const written: [string, unknown][] = [];
  const record = async (_: string, what: string, { omitted }: Readonly<Record<string, unknown>>) =>
    void written.push([what, omitted]);
  const observe = auditAppActs({ record }, clock);
  const act = (name: Steered["act"]) =>
    observe({ type: "steered", app: fakeApp(), act: name, whose: { user: "ada" }, connections: 1 });
  for (let time = 0; time < 100; time++) act("subscribe");
  expect(written).toHaveLength(60);
  act("kick");
  expect(written.at(-1)).toEqual(["channel.kick", undefined]);
  clock.pass(1_000);
  act("subscribe");
  expect(written.at(-1)).toEqual(["channel.subscribe", 40]);
  act("subscribe");
  clock.pass(2_000);
  act("subscribe");
  act("subscribe");
  expect(written.slice(-2)).toEqual([
    ["channel.subscribe", 1],
    ["channel.subscribe", undefined],
  ]);
  for (let time = 0; time < 100; time++) act("disconnect");
  expect(written.filter(([what]) => what === "user.terminate")).toHaveLength(60);
});

describe("channels", () => {
  test("are listed with their counts, searched, and shown with members and what is kept", async () => {
    const kept = [{ match: "log.*", history: { size: 5 } }];
    const { url } = await startServer({ ...SIGNED, apps: [{ ...APP, anonymous: true, channels: kept }] });
    const vera = await signedIn(url, "vera");
    const client = await connectPusher(url);
    await client.subscribe("presence-room", { data: { user_id: "ada", user_info: { name: "Ada", password: "hush" } } });
    await client.subscribe("log.1");
    await (await connectNative(url)).subscribe("log.1");
    await signedFetch(url, APP, "POST", "/events", { body: { name: "line", channel: "log.1", data: '"first"' } });
    const all = (await vera.ask<ChannelList>("api/apps/app/channels")).body;
    expect(all.channels.map(({ name, subscribers, kind }) => [name, subscribers, kind])).toEqual([
      ["log.1", 2, "public"],
      ["presence-room", 1, "presence"],
    ]);
    expect((await vera.ask<ChannelList>("api/apps/app/channels?search=room&limit=1")).body.total).toBe(1);
    const room = (await vera.ask<ChannelDetail>("api/apps/app/channel?name=presence-room")).body;
    expect(room.members).toMatchObject([{ id: "ada", info: { text: '{"name":"Ada","password":"***"}' } }]);
    const log = (await vera.ask<ChannelDetail>("api/apps/app/channel?name=log.1")).body;
    expect([log.connections.length, log.kept]).toMatchObject([2, [{ event: "line", payload: { text: '"first"' } }]]);
    expect((await vera.ask("api/apps/app/channel?name=nobody")).status).toBe(404);
    expect((await vera.ask("api/apps/app/channels?limit=0")).status).toBe(400);
  });
});

describe("apps", () => {
  test("are made, changed, given new secrets, disabled and removed, and count at once", async () => {
    const { url } = await startServer(SIGNED);
    const anna = await signedIn(url, "anna");
    const made = (await anna.post<AppWithSecret>("api/apps", { name: "Shop", anonymous: true })).body;
    const keys = { id: made.app.id, key: made.app.key, secret: made.secret };
    const client = await eventually(() => connectNative(url, { app: keys.key }));
    const status = async (secret: string) => (await signedFetch(url, { ...keys, secret }, "GET", "/channels")).status;
    expect(await status(made.secret)).toBe(200);

    const at = `api/apps/${keys.id}`;
    const edited = await anna.ask<AppDetail>(at, {
      method: "PATCH",
      body: { name: "Shop 2", limits: { connections: 3 } },
    });
    expect(edited.body).toMatchObject({ name: "Shop 2", source: "database", settings: { limits: { connections: 3 } } });
    const { secret } = (await anna.post<AppWithSecret>(`${at}/rotate`)).body;
    await eventually(async () => expect([await status(secret), await status(made.secret)]).toEqual([200, 200]));
    expect((await anna.post<AppWithSecret>(`${at}/rotate`, { forget: true })).body.secret).toBe(secret);
    await eventually(async () => expect([await status(secret), await status(made.secret)]).toEqual([200, 401]));

    await anna.ask(at, { method: "PATCH", body: { enabled: false } });
    expect(await client.next("closing")).toMatchObject({ code: "app_disabled" });
    expect((await anna.ask(at, { method: "DELETE" })).body).toEqual({ outcome: "done" });
    await eventually(async () => expect((await anna.ask(at)).status).toBe(404));
    const told = await auditOf(anna);
    const whats = told.map(({ what }) => what);
    expect(whats).toEqual([
      "app.remove",
      "app.edit",
      "app.rotate",
      "app.rotate",
      "app.edit",
      "app.create",
      "session.start",
    ]);
    expect(JSON.stringify(told)).not.toContain(secret);
    const page = await anna.ask<AuditEntry[]>(`api/audit?limit=1&before=${told[0]?.id}`);
    expect(page.body).toEqual(told.slice(1, 2));
  });

  test("show their secret to an admin who asks, and the audit log says who asked, and not what for an answer", async () => {
    const { url } = await startServer(SIGNED);
    const anna = await signedIn(url, "anna");
    expect((await anna.post<AppWithSecret>("api/apps/app/secret")).body.secret).toBe(APP.secret);
    const told = await auditOf(anna);
    expect(told[0]).toMatchObject({ what: "app.secret", who: "anna", detail: { app: "app" } });
    expect(JSON.stringify(told)).not.toContain(APP.secret);
    expect((await anna.post("api/apps/nobody/secret")).status).toBe(404);
    const otto = await signedIn(url, "otto");
    expect(await otto.post("api/apps/app/secret")).toMatchObject({ status: 403 });
  });

  test("of the configuration can only be looked at, and what is wrong is said", async () => {
    const { url } = await startServer(SIGNED);
    const anna = await signedIn(url, "anna");
    expect((await anna.ask("api/apps/app", { method: "PATCH", body: { name: "x" } })).status).toBe(409);
    expect((await anna.ask("api/apps/app", { method: "DELETE" })).status).toBe(409);
    expect((await anna.post("api/apps", { id: "app" })).status).toBe(409);
    expect((await anna.post("api/apps", { id: "#dashboard" })).status).toBe(400);
    const wrong = await anna.post<{ error: { message: string } }>("api/apps", { limits: { conections: 3 } });
    expect([wrong.status, wrong.body.error.message]).toEqual([400, expect.stringContaining("conections")]);
    expect((await anna.post("api/apps", { secret: "mine" })).status).toBe(400);
    const long = await anna.post<{ error: { message: string } }>("api/apps", { name: "x".repeat(256) });
    expect([long.status, long.body.error.message]).toEqual([400, expect.stringContaining("1 to 255 characters")]);
    for (const path of ["statistics?span=day&app=a%00b", "webhooks?app=a%00b"])
      expect((await anna.ask(`api/${path}`)).status).toBe(400);
  });

  test("without a database the API says what to do", async () => {
    const { url } = await startServer({ apps: [APP], dashboard: { users: USERS } });
    const anna = await signedIn(url, "anna");
    const { has } = (await anna.ask<Overview>("api/overview")).body;
    expect(has).toMatchObject({ apps: false, statistics: false, webhooks: false, audit: false, seconds: true });
    for (const answer of [
      await anna.post("api/apps", {}),
      await anna.ask("api/statistics?span=day&app=app"),
      await anna.ask("api/webhooks"),
    ]) {
      expect([answer.status, answer.body]).toMatchObject([501, { error: { code: "not_available" } }]);
    }
    expect((await auditOf(anna)).map(({ what }) => what)).toEqual(["session.start"]);
  });
});

describe("numbers", () => {
  test("are shown by the second, and by the interval, hour and day from the database (B33)", async () => {
    const { url } = await startServer({ ...SIGNED, statistics: { intervalS: 1 } });
    const vera = await signedIn(url, "vera");
    const client = await connectNative(url);
    await client.subscribe("x");
    await eventually(
      async () => {
        await client.ping();
        const { points, stepMs } = (await vera.ask<Series>("api/statistics?span=second&app=app")).body;
        expect(stepMs).toBe(1000);
        expect(points.some(({ messagesIn, connections }) => messagesIn > 0 && connections === 1)).toBe(true);
        expect((await vera.ask<Series>("api/statistics?span=second")).body.points.length).toBeGreaterThan(0);
        for (const span of ["interval", "hour", "day"]) {
          const from = Date.now() - 90 * 86_400_000;
          const series = await vera.ask<Series>(`api/statistics?span=${span}&app=app&from=${from}&to=${Date.now()}`);
          expect(series.body.points.at(-1)?.peakConnections).toBe(1);
        }
      },
      { withinMs: 15_000, everyMs: 200 },
    );
    expect((await vera.ask("api/statistics?span=week&app=app")).status).toBe(400);
    expect((await vera.ask("api/statistics?span=day")).status).toBe(400);
  }, 20_000);
});

describe("webhooks", () => {
  test("that were never taken are listed, and sent again", async () => {
    let isUp = false;
    const got: string[] = [];
    const receiver = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        if (!isUp) return new Response(null, { status: 500 });
        got.push(await request.text());
        return new Response();
      },
    });
    const address = `http://user:hush@127.0.0.1:${receiver.port}/hook`;
    const app = {
      ...APP,
      anonymous: true,
      webhooks: [{ url: `${address}?key=hush`, events: ["channel_occupied" as const] }],
    };
    const { url } = await startServer({ ...SIGNED, apps: [app], webhooks: { retryForS: 0.2, allowPrivate: true } });
    const otto = await signedIn(url, "otto");
    await (await connectNative(url)).subscribe("hooked");
    const dead = await eventually(
      async () => {
        const { body } = await otto.ask<Webhooks>("api/webhooks?app=app");
        expect(body.failed).toBe(1);
        return body;
      },
      { withinMs: 15_000, everyMs: 100 },
    );
    expect(dead.deliveries).toMatchObject([
      { app: "app", channel: "hooked", target: `http://127.0.0.1:${receiver.port}/******` },
    ]);
    const anna = await signedIn(url, "anna");
    const seen = (await anna.ask<Webhooks>("api/webhooks")).body;
    expect(seen.deliveries[0]?.target).toBe(`http://127.0.0.1:${receiver.port}/hook`);
    expect(JSON.stringify(dead)).not.toContain("hush");
    const [once] = dead.receivers;
    expect(once).toMatchObject({ app: "app", waiting: 0, failed: 1, taken: 0, lastStatus: 500, isResting: false });
    expect(once?.perMinute).toBe((once?.attempts ?? 0) / 5);
    expect(once?.p95Ms).toBeLessThan(10_000);
    expect([once?.lately.length, once?.lately.at(-1)]).toEqual([24, [0, once?.attempts ?? 0]]);
    expect(Date.now() - (once?.failingSinceMs ?? 0)).toBeLessThan(60_000);
    isUp = true;
    const replay = async (which: object) => (await otto.post("api/webhooks/replay", which)).body;
    expect(await replay({ app: "another" })).toEqual({ count: 0 });
    expect(await replay({ app: "app", ids: [dead.deliveries[0]?.id] })).toEqual({ count: 1 });
    await eventually(() => expect(got.join()).toContain("hooked"), { withinMs: 10_000 });
    expect((await auditOf(otto))[0]).toMatchObject({ what: "webhooks.replay", detail: { count: 1, app: "app" } });
    await eventually(async () => {
      const { receivers } = (await otto.ask<Webhooks>("api/webhooks")).body;
      expect(receivers).toMatchObject([{ waiting: 0, failed: 0, taken: 1, lastStatus: 200 }]);
      expect([receivers[0]?.lately.at(-1)?.[0], receivers[0]?.failingSinceMs]).toEqual([1, undefined]);
    });
    await receiver.stop(true);
  }, 30_000);

  test("and hooks are told of by receiver, of all nodes together", async () => {
    const nothing = new Array(23).fill([0, 0]);
    const redis = await startRedis();
    const backEnd = startBackEnd({ subscribe: () => Response.json({}), disconnect: () => new Response() });
    const hooks = { url: backEnd.url, subscribe: true, disconnect: true };
    const webhooks = [{ url: `${backEnd.url}quiet`, events: ["member_added" as const] }];
    const config = {
      ...SIGNED,
      apps: [{ ...APP, anonymous: true, hooks, webhooks }],
      webhooks: { allowPrivate: true },
    };
    const engine = { engine: "redis", redis: { port: redis.port }, database: { url: sqliteFile() } } as const;
    const [here, there] = [await startServer({ ...config, ...engine }), await startServer({ ...config, ...engine })];
    for (const { url } of [here, there]) {
      const client = await connectNative(url);
      await client.subscribe("private-a");
      await client.close();
    }
    const vera = await signedIn(here.url, "vera");
    await eventually(
      async () => {
        const { body } = await vera.ask<Webhooks>("api/webhooks");
        expect(body.nodesMissing).toBe(0);
        expect(body.receivers).toMatchObject([
          { target: `${new URL(backEnd.url).origin}/******`, attempts: 0, taken: 0, perMinute: 0, isResting: false },
          { target: "hook:subscribe", attempts: 2, taken: 2, perMinute: 0.4, lately: [...nothing, [2, 0]] },
          { target: "hook:disconnect", attempts: 2, taken: 2, lastStatus: 200 },
        ]);
        expect(body.receivers[0]?.p95Ms).toBeUndefined();
      },
      { withinMs: 15_000, everyMs: 100 },
    );
    expect((await vera.ask<Webhooks>("api/webhooks?app=none")).body.receivers).toEqual([]);
  }, 30_000);
});

describe("outboxes", () => {
  test("have rows that failed, which are listed with the reason and tried again", async () => {
    const outbox = await startOutbox(sqliteFile());
    const { url } = await startServer({ ...SIGNED, outbox: [{ ...outbox.config, name: "shop", app: APP.id }] });
    const [vera, otto] = [await signedIn(url, "vera"), await signedIn(url, "otto")];
    expect((await vera.ask<Overview>("api/overview")).body.has.outboxes).toBe(true);
    for (const channel of ["not a channel", "neither this"]) await outbox.insert({ channel, event: "paid", data: "1" });
    const entries = await eventually(async () => {
      const { body } = await vera.ask<OutboxEntry[]>("api/outboxes");
      expect(body[0]?.failed).toHaveLength(2);
      return body;
    });
    const [first] = entries[0]?.failed ?? [];
    expect(entries).toMatchObject([{ name: "shop", failed: [{ event: "paid" }, { event: "paid" }] }]);
    expect(first?.error).toStartWith("channel_invalid: ");
    expect((await otto.post("api/outboxes/shop/retry", { ids: [first?.id] })).body).toEqual({ count: 1 });
    expect((await otto.post("api/outboxes/other/retry")).status).toBe(404);
    expect((await auditOf(otto))[0]).toMatchObject({
      ...{ who: "otto", what: "outbox.retry", detail: { outbox: "shop", count: 1, ids: [first?.id] } },
    });
    // It fails again, for nothing about it is another.
    await eventually(async () =>
      expect((await vera.ask<OutboxEntry[]>("api/outboxes")).body[0]?.failed).toHaveLength(2),
    );
    expect((await otto.post("api/outboxes/shop/retry")).body).toEqual({ count: 2 });
    const { url: without } = await startServer(SIGNED);
    expect((await (await signedIn(without, "vera")).ask("api/outboxes")).status).toBe(501);
  });

  test("whose database is away are listed without their rows", async () => {
    const away = "postgres://reader:hush@127.0.0.1:1/shop";
    const { url } = await startServer({ ...SIGNED, outbox: [{ url: away, app: APP.id }] });
    const otto = await signedIn(url, "otto");
    const { text, body } = await otto.ask<OutboxEntry[]>("api/outboxes");
    expect(body).toEqual([{ name: "fanfare_publications", place: expect.any(String) }]);
    expect(text).not.toContain("hush");
    expect((await otto.post("api/outboxes/fanfare_publications/retry")).status).toBe(503);
  });
});

describe("a node", () => {
  test("that is drained is unready and sends its clients away, those that come back as well, until it is ended", async () => {
    const { url } = await startServer(SIGNED);
    const anna = await signedIn(url, "anna");
    const live = await anna.watch();
    const client = await connectNative(url);
    const [node] = (await anna.ask<NodeEntry[]>("api/nodes")).body;
    expect((await anna.post(`api/nodes/${node?.id}/drain`)).body).toEqual({ outcome: "asked" });
    expect(await client.next("closing")).toMatchObject({ code: "shutdown", reconnect: "now" });
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    await live.subscribe({ type: "seconds" });
    await eventually(async () => expect((await anna.ask<NodeEntry[]>("api/nodes")).body[0]?.draining).toBe(true));
    // Whoever is drained already is asked again, and nothing comes of it.
    expect((await anna.post(`api/nodes/${node?.id}/drain`)).body).toEqual({ outcome: "asked" });
    expect((await anna.post("api/nodes/nobody/drain")).status).toBe(404);
    for (let time = 0; time < 2; time++) {
      const back = await connectNative(url);
      expect(await back.next("closing")).toMatchObject({ code: "shutdown", reconnect: "now" });
    }
    expect((await anna.ask(`api/nodes/${node?.id}/drain`, { method: "DELETE" })).body).toEqual({ outcome: "asked" });
    await eventually(async () => expect((await fetch(`${url}/ready`)).status).toBe(200));
    const staying = await connectNative(url);
    await Bun.sleep(1_500);
    await staying.ping();
    const noted = (await auditOf(anna)).map(({ what }) => what).filter((what) => what.startsWith("node."));
    expect(noted).toEqual(["node.drain.end", "node.drain", "node.drain"]);
  });

  test("of a cluster gives connections away on demand, which is noted", async () => {
    const { url } = await startServer(SIGNED);
    const anna = await signedIn(url, "anna");
    await connectNative(url);
    const { status, body } = await anna.post("api/nodes/rebalance");
    expect([status, body]).toEqual([
      200,
      { nodes: 1, missing: 0, connections: 1, movable: 1, surplus: 0, isEven: true },
    ]);
    expect((await auditOf(anna))[0]).toMatchObject({ what: "cluster.rebalance", detail: { nodes: 1, surplus: 0 } });
  });

  test("one of several workers knows a session and a ticket of another, and edits apps (scenario 70)", async () => {
    const { url } = await startWorkers({ dashboard: { users: USERS }, database: { url: "sqlite::memory:" } });
    const anna = await signedIn(url, "anna");
    for (let time = 0; time < 8; time++) {
      expect((await anna.ask("api/overview", { headers: { Connection: "close" } })).status).toBe(200);
      await anna.watch();
    }
    const { body } = await anna.ask<Overview>("api/overview");
    expect(body.has.drain).toBe(false);
  }, 30_000);
});

describe("the explainer of signatures", () => {
  test("says what is wrong with a permission and with a call", async () => {
    const { url } = await startServer(SIGNED);
    const anna = await signedIn(url, "anna");
    const ask = async (body: object) => (await anna.post<Explanation>("api/apps/app/explain", body)).body;
    const auth = channelAuth(APP, "1.2", "private-y");
    const wrong = await ask({ type: "channel", socketId: "1.2", channel: "private-x", auth });
    expect(wrong).toMatchObject({ text: "1.2:private-x", verdict: { accepted: false } });
    expect(wrong.verdict?.findings.length).toBeGreaterThan(0);
    const right = await ask({ type: "channel", socketId: "1.2", channel: "private-y", auth });
    expect(right.verdict).toMatchObject({ accepted: true });
    const user = await ask({ type: "user", socketId: "1.2", userData: '{"id":"7"}' });
    expect(user.text).toBe('1.2::user::{"id":"7"}');
    const call = await ask({
      type: "request",
      method: "post",
      path: "/apps/app/events?auth_key=x&auth_signature=y",
      body: "",
    });
    expect(call.text).toStartWith("POST\n/apps/app/events\n");
    expect(call.verdict?.accepted).toBe(false);
    expect((await anna.post("api/apps/app/explain", { type: "magic" })).status).toBe(400);
  });
});
