/** The dashboard's calls about channels: lists of one app and of all, patterns, what is kept, the rules that apply, over nodes. */

import { describe, expect, test } from "bun:test";
import type { ChannelDetail, ChannelHistory, ChannelList } from "../../packages/server/src/admin/api-types.ts";
import { patternOf } from "../../packages/server/src/admin/api-types.ts";
import { ChannelListing } from "../../packages/server/src/admin/channel-listing.ts";
import type { App } from "../../packages/server/src/domain/app.ts";
import { traitsOf } from "../../packages/server/src/domain/channel.ts";
import type { Hub } from "../../packages/server/src/hub/hub.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { SIGNED, signedIn, type Visitor } from "./visitor.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret", anonymous: true };
const CHANNELS = [
  { match: "log.*", history: { size: 60, ttlS: 60 } },
  { match: "log.never", maxSubscribers: 1 },
];
const CONFIG = { ...SIGNED, apps: [{ ...APP, anonymous: true, clientEvents: true, channels: CHANNELS }, OTHER] };

test.each([
  ["orders", "orders"],
  ["private-chat", "private-chat"],
  ["chat.en", "chat.*"],
  ["private-orders.8841", "private-orders.*"],
  ["presence-ticket.2204.typing", "presence-ticket.*.typing"],
  ["private-encrypted-cache-vault-7", "private-encrypted-cache-vault-*"],
  ["private-user.0b7e2f0a-3c11-4f1e-9b2a-0d9f7a5c1e22", "private-user.*"],
  ["0b7e2f0a-3c11-4f1e-9b2a-0d9f7a5c1e22", "*"],
  ["room:4:7:9", "room:*"],
  ["order-updates", "order-*"],
])("the pattern of %s is %s", (name, pattern) => {
  expect(patternOf(name)).toBe(pattern);
});

describe("the list of channels", () => {
  const list = async (visitor: Visitor, query = "", at = "channels") =>
    (await visitor.ask<ChannelList>(`api/${at}?${query}`)).body;
  const names = ({ channels }: ChannelList) => channels.map(({ app, name }) => `${app}/${name}`);

  test("is of all apps, by patterns, with counts of kinds, in the wanted order, page by page", async () => {
    const { url } = await startServer(CONFIG);
    const [mine, theirs] = [await connectPusher(url), await connectNative(url, { app: OTHER.key })];
    const wanted = ["log.1", "log.2", "log.3", "private-x", "presence-room", "cache-price", "private-encrypted-v"];
    for (const name of wanted) await mine.subscribe(name, { data: { user_id: "ada" } });
    const second = await connectNative(url);
    for (const name of ["log.2", "log.3"]) await second.subscribe(name);
    await theirs.subscribe("log.1");
    const vera = await signedIn(url, "vera");
    const all = await list(vera);
    expect([all.total, all.matching]).toEqual([8, 8]);
    expect(all.kinds).toEqual({ public: 5, private: 2, presence: 1, encrypted: 1, cache: 1 });
    expect(names(all).slice(0, 3)).toEqual(["app/log.2", "app/log.3", "app/cache-price"]);
    expect(all.channels.find(({ name }) => name === "cache-price")?.history).toEqual({ size: 1, ttlS: 1800 });
    const grouped = await list(vera, "group=pattern");
    expect(grouped.channels[0]).toEqual({
      ...{ app: "app", name: "log.*", channels: 3, subscribers: 5, kind: "public", encrypted: false, cache: false },
      history: { size: 60, ttlS: 60 },
    });
    // One of a pattern is not a group.
    expect([grouped.total, grouped.matching, names(grouped).includes("other/log.1")]).toEqual([6, 8, true]);
    expect(names(await list(vera, "pattern=log.*", "apps/app/channels"))).toEqual([
      ...["app/log.2", "app/log.3", "app/log.1"],
    ]);
    expect(names(await list(vera, "first=other/log.1&first=app/private-x&limit=2"))).toEqual([
      ...["other/log.1", "app/private-x"],
    ]);
    expect(names(await list(vera, "group=pattern&first=app/log.1&limit=1"))).toEqual(["app/log.*"]);
    expect(names(await list(vera, "sort=name&offset=1&limit=2"))).toEqual(["app/log.1", "other/log.1"]);
    expect(names(await list(vera, "search=p*e*m"))).toEqual(["app/presence-room"]);
    const cached = await list(vera, "kind=cache&search=c");
    expect([names(cached), cached.matching]).toEqual([["app/cache-price"], 3]);
    for (const wrong of ["limit=0", "offset=x", "kind=odd", "sort=odd"])
      expect([wrong, (await vera.ask(`api/channels?${wrong}`)).status]).toEqual([wrong, 400]);
  });

  test("of two hundred thousand channels has one page of a few kilobytes", () => {
    const app = { id: "app" } as App;
    const hub = { channelOf: (_: App, name: string) => ({ traits: traitsOf(name), policy: {} }) } as unknown as Hub;
    const question = { search: "", kind: undefined, pattern: undefined, sort: "subscribers", offset: 100, limit: 100 };
    for (const isGrouped of [false, true]) {
      const listing = new ChannelListing(hub, { ...question, isGrouped, first: ["app/user-7.x"] } as never);
      for (let n = 0; n < 200_000; n++) listing.add(app, { name: `user-${n}.${"xyz"[n % 3]}`, subscribers: n % 977 });
      const page = listing.page();
      expect([page.total, page.matching]).toEqual([isGrouped ? 3 : 200_000, 200_000]);
      expect(JSON.stringify(page).length).toBeLessThan(20_000);
      if (isGrouped) continue;
      expect(page.channels.length).toBe(100);
      expect(page.channels.every(({ subscribers }) => subscribers === 976)).toBe(true);
    }
  });
});

describe("one channel", () => {
  test("is shown with its rule, its history by pages and by whom, and its connections on every node", async () => {
    const redis = await startRedis();
    const config = { ...CONFIG, engine: "redis", redis: { port: redis.port } } as const;
    const [one, two] = [await startServer(config), await startServer(config)];
    const [near, far] = [await connectNative(one.url), await connectPusher(two.url)];
    await near.subscribe("log.1");
    await far.subscribe("log.1");
    for (let n = 1; n <= 60; n++) await two.toChannel("log.1").push({ event: "line", data: n });
    const vera = await signedIn(one.url, "vera");
    const detail = (await vera.ask<ChannelDetail>("api/apps/app/channel?name=log.1")).body;
    expect(detail).toMatchObject({ app: "app", subscribers: 2, history: { size: 60, ttlS: 60 } });
    expect(detail.rules).toMatchObject({ matched: { match: "log.*", number: 1 }, count: 2 });
    expect(detail.rules.policy).toMatchObject({ maxSubscribers: "unlimited", clientPublish: "none", auth: false });
    expect(detail.connections.map(({ id }) => id).toSorted()).toEqual([near.id, far.socketId].toSorted());
    const nodes = (await vera.ask<{ nodes: { id: string }[] }>("api/overview")).body.nodes.map(({ id }) => id);
    expect(detail.connections.map(({ node }) => node).toSorted()).toEqual(nodes.toSorted());

    const page = async (before = "") =>
      (await vera.ask<ChannelHistory>(`api/apps/app/history?name=log.1${before}`)).body;
    const { events, position, next } = await page();
    expect([events.length, events.at(-1)?.payload.text, events.at(-1)?.position]).toEqual([50, "60", position]);
    expect(events.at(-1)?.atMs).toBeGreaterThan(Date.now() - 60_000);
    const older = await page(`&before=${next?.epoch}:${next?.offset}`);
    expect(older.events.map(({ payload }) => payload.text)).toEqual(Array.from({ length: 10 }, (_, n) => `${n + 1}`));
    expect(older.next).toBeUndefined();
    expect((await vera.ask("api/apps/app/history?name=log.1&before=odd")).status).toBe(400);
    // What is kept is there when everybody has left; a channel without a history has none.
    await far.close();
    await near.close();
    expect((await page()).events.length).toBe(50);
    expect((await vera.ask("api/apps/app/history?name=news")).body).toEqual({ events: [] });
  }, 40_000);

  test("says which user and connection an event was of", async () => {
    const channels = [{ match: "private-chat", history: { size: 5, ttlS: 60 } }];
    const { url } = await startServer({ ...SIGNED, apps: [{ ...APP, clientEvents: true, channels }] });
    const ada = await connectPusher(url);
    await ada.signin({ id: "ada" });
    await ada.subscribe("private-chat");
    ada.send("client-said", { text: "hello" }, "private-chat");
    const vera = await signedIn(url, "vera");
    let events: ChannelHistory["events"] = [];
    while (events.length === 0)
      ({ events } = (await vera.ask<ChannelHistory>("api/apps/app/history?name=private-chat")).body);
    expect(events).toMatchObject([{ event: "client-said", user: "ada", connection: ada.socketId }]);
  });
});
