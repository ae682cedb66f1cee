/** Who is connected, as the dashboard asks for it: on one node and on two. */

import { describe, expect, test } from "bun:test";
import type { ConnectionList, PeopleList, PersonDetail } from "../../packages/server/src/admin/api-types.ts";
import { listConnections } from "../../packages/server/src/admin/connection-view.ts";
import { People } from "../../packages/server/src/admin/people.ts";
import { eventually } from "../support/eventually.ts";
import { bench } from "../support/fakes.ts";
import { connectAs, connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { SIGNED, signedIn, type Visitor } from "./visitor.ts";

const AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0";
const { secret: _, ...TWO_SECRETS } = APP;
const peopleOf = async (visitor: Visitor, query = "") => (await visitor.ask<PeopleList>(`api/people${query}`)).body;
const personOf = async (visitor: Visitor, id: string) =>
  (await visitor.ask<PersonDetail>(`api/apps/app/users/${id}`)).body;

describe("the list of people", () => {
  test("has who signed in by token or signature, and members of presence channels; others are counted", async () => {
    const { url } = await startServer(SIGNED);
    const vera = await signedIn(url, "vera");
    const token = await makeToken({ sub: "ada", info: { name: "Ada Byron", password: "hush" } });
    for (const channel of ["news", "chat"]) await (await connectNative(url, { token })).subscribe(channel);
    const signed = await connectPusher(url, {
      query: "protocol=7&client=js&version=8.4.0",
      headers: { "user-agent": AGENT },
    });
    await signed.signin({ id: "bob", user_info: { name: "Bob" } });
    const member = await connectPusher(url);
    await member.subscribe("presence-room", { data: { user_id: "eve", user_info: { name: "Eve Adams" } } });
    await connectNative(url);
    const { people, ...counts } = await peopleOf(vera);
    expect(counts).toEqual({ total: 3, connections: 5, anonymous: 1, nodesMissing: 0 });
    expect(people).toMatchObject([
      { app: "app", id: "ada", name: "Ada Byron", connections: 2, channels: 2, refused: 0 },
      { app: "app", id: "bob", name: "Bob", connections: 1, channels: 0 },
      { app: "app", id: "eve", name: "Eve Adams", connections: 1, channels: 1, last: { type: "member_added" } },
    ]);
    expect(Math.abs((people[0]?.onlineSinceMs ?? 0) - Date.now())).toBeLessThan(60_000);
    const ids = async (query: string) => (await peopleOf(vera, query)).people.map(({ id }) => id);
    expect(await ids("?search=AD")).toEqual(["ada", "eve"]);
    expect(await ids(`?search=${signed.socketId}`)).toEqual(["bob"]);
    expect(await ids("?search=room")).toEqual([]);
    expect(await ids("?app=other")).toEqual([]);
    const nobodys = await vera.watch();
    await nobodys.subscribe({ type: "connections", isAnonymous: true });
    expect((await nobodys.next("connections")) satisfies ConnectionList).toMatchObject({ total: 1 });
  });

  test("comes page by page, each user once", async () => {
    const { url } = await startServer(SIGNED);
    const vera = await signedIn(url, "vera");
    for (const user of ["u1", "u2", "u3", "u4", "u5"]) await connectAs(url, user);
    const seen: string[] = [];
    for (let next: string | undefined = ""; next !== undefined; ) {
      const page: PeopleList = await peopleOf(vera, `?limit=2&after=${encodeURIComponent(next)}`);
      seen.push(...page.people.map(({ id }) => id));
      next = page.next;
    }
    expect(seen).toEqual(["u1", "u2", "u3", "u4", "u5"]);
    expect((await vera.ask("api/people?limit=none")).status).toBe(400);
    expect((await vera.ask("api/people?app=a%20b")).status).toBe(400);
  });
});

describe("a user", () => {
  test("is shown with connections, channels, info without secrets, what the token says, and what happened", async () => {
    const { url } = await startServer(SIGNED);
    const vera = await signedIn(url, "vera");
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const token = await makeToken({
      sub: "ada",
      exp,
      info: { name: "Ada", password: "hush" },
      channels: ["private-a.*"],
    });
    const client = await connectNative(url, { token, headers: { "user-agent": AGENT } });
    await client.subscribe("news");
    await client.ask("subscribe", { channel: "private-b" });
    const gone = await connectNative(url, { token });
    await gone.close();
    const person = await eventually(async () => {
      const found = await personOf(vera, "ada");
      expect(found.ended).toHaveLength(1);
      return found;
    });
    expect(person).toMatchObject({
      ...{ app: "app", id: "ada", name: "Ada", connectionCount: 1, channels: ["news"], refused: 1, bans: [] },
      info: { text: '{"name":"Ada","password":"***"}' },
      identity: {
        by: "token",
        secret: { number: 1, of: 1 },

        channels: ["private-a.*"],
        watches: 0,
      },
      connections: [{ id: client.id, user: "ada", agent: AGENT, protocol: "native" }],
      ended: [{ id: gone.id, why: expect.stringContaining("1000") }],
    });
    expect(person.events[0]?.atMs).toBeGreaterThanOrEqual(person.events.at(-1)?.atMs ?? 0);
    expect(person.events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["disconnected", "refused", "subscribed", "connected"]),
    );
    // By the monotonic clock, from which it is told back.
    expect(Math.abs((person.identity?.expiresAtMs ?? 0) - exp * 1000)).toBeLessThan(1_000);
    const { openedAtMs = 0, endedAtMs = 0 } = person.ended[0] ?? {};
    expect(person.firstSeenMs).toBeLessThanOrEqual(openedAtMs);
    expect(openedAtMs).toBeLessThanOrEqual(endedAtMs);
  });

  test("who signed in by signature, or is only a member, is told apart; a stranger has nothing", async () => {
    const { url } = await startServer({
      ...SIGNED,
      apps: [{ ...TWO_SECRETS, secrets: ["new", APP.secret] }],
    });
    const vera = await signedIn(url, "vera");
    const signed = await connectPusher(url);
    await signed.signin({ id: "bob", watchlist: ["eve", "ada"] });
    await (await connectPusher(url)).subscribe("presence-room", { data: { user_id: "eve" } });
    expect((await personOf(vera, "bob")).identity).toMatchObject({
      by: "signature",
      secret: { number: 2, of: 2 },
      watches: 2,
    });
    expect((await personOf(vera, "eve")).identity).toEqual({ by: "presence", watches: 0 });
    expect(await personOf(vera, "nobody")).toMatchObject({ connectionCount: 0, events: [], bans: [], ended: [] });
    expect((await vera.ask("api/apps/none/users/bob")).status).toBe(404);
    expect((await vera.ask(`api/apps/app/users/${"x".repeat(500)}`)).status).toBe(400);
  });

  test("has the bans that hold, with who made them for those who may read the audit log", async () => {
    const { url } = await startServer(SIGNED);
    const [vera, otto] = [await signedIn(url, "vera"), await signedIn(url, "otto")];
    await connectAs(url, "ada");
    for (const channel of ["hall", "stage"]) await otto.post("api/apps/app/kick", { user: "ada", channel, banS: 60 });
    await otto.post("api/apps/app/unban", { user: "ada", channel: "stage" });
    const { bans } = await personOf(otto, "ada");
    expect(bans).toMatchObject([{ channel: "hall", by: "otto" }]);
    expect(Math.abs((bans[0]?.untilMs ?? 0) - Date.now() - 60_000)).toBeLessThan(20_000);
    expect((await personOf(vera, "ada")).bans).toEqual([expect.not.objectContaining({ by: "otto" })]);
    expect((await personOf(vera, "bob")).bans).toEqual([]);
    await otto.post("api/apps/app/unban", { user: "ada", channel: "hall" });
    expect((await personOf(vera, "ada")).bans).toEqual([]);
  });
});

test("bans are the engine's, whoever made them, and however much the audit log has of others since", async () => {
  const { url } = await startServer(SIGNED);
  const otto = await signedIn(url, "otto");
  const byBackEnd = { user_id: "ada", ban_s: 3_600 };
  const answer = await signedFetch(url, APP, "POST", "/channels/hall/kick", { body: byBackEnd });
  expect(answer.status).toBe(200);
  await otto.post("api/apps/app/kick", { user: "ada", channel: "stage", banS: 600 });
  // More than a page of the audit log.
  for (let n = 0; n < 510; n++) await otto.post("api/apps/app/unban", { user: `other-${n}`, channel: "hall" });
  const { bans } = await personOf(otto, "ada");
  expect(bans.map(({ channel }) => channel)).toEqual(["stage", "hall"]);
  expect(Math.abs((bans[1]?.untilMs ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000);
  await signedFetch(url, APP, "POST", "/channels/hall/unban", { body: { user_id: "ada" } });
  expect((await personOf(otto, "ada")).bans).toMatchObject([{ channel: "stage" }]);
}, 60_000);

describe("over two nodes", () => {
  test("one is one user, with the connections of both", async () => {
    const redis = await startRedis();
    const settings = { ...SIGNED, engine: "redis", redis: { port: redis.port } } as const;
    const [here, there] = [await startServer(settings), await startServer(settings)];
    const vera = await signedIn(here.url, "vera");
    const [near, far] = [
      await connectAs(here.url, "ada"),
      await connectAs(there.url, "ada", { info: { name: "Ada" } }),
    ];
    await connectAs(there.url, "bob");
    await near.subscribe("one");
    await far.subscribe("two");
    const list = await peopleOf(vera);
    expect(list).toMatchObject({ total: 2, connections: 3, anonymous: 0, nodesMissing: 0 });
    expect(list.people.map(({ id, connections }) => [id, connections])).toEqual([
      ["ada", 2],
      ["bob", 1],
    ]);
    expect((await peopleOf(vera, "?limit=1")).next).toBe("app/ada");
    const person = await personOf(vera, "ada");
    expect(person).toMatchObject({ connectionCount: 2, channels: ["one", "two"] });
    expect(new Set(person.connections.map(({ node }) => node)).size).toBe(2);
    const otto = await signedIn(here.url, "otto");
    await otto.post("api/apps/app/kick", { user: "ada", channel: "two", banS: 60 });
    expect((await personOf(otto, "ada")).bans).toMatchObject([{ channel: "two" }]);
    await far.close();
    await eventually(async () => expect((await personOf(vera, "ada")).ended).toMatchObject([{ id: far.id }]));
  });
});

test("thousands of connections are looked at while messages pass", async () => {
  const { hub, open, app } = await bench();
  for (let n = 0; n < 10_000; n++) open(app).connection.user = { id: `user-${n % 5_000}`, info: {} };
  const redact = () => ({ text: "", bytes: 0 });
  const people = new People({ hub, node: "here", redact, recent: () => [] });
  people.start();
  let steps = 0;
  const stepping = setInterval(() => steps++, 0);
  const { total, connections, next } = await people.list({ limit: 2, after: "app/user-1" });
  expect([total, connections, next]).toEqual([5_000, 10_000, "app/user-100"]);
  expect((await people.person(app, "user-7")).connectionCount).toBe(2);
  clearInterval(stepping);
  expect(steps).toBeGreaterThan(3);
  people.stop();
});

test("thousands of connections are searched while messages pass", async () => {
  const { hub, open, app } = await bench();
  for (let n = 0; n < 10_000; n++) open(app).connection.user = { id: `user-${n}`, info: {} };
  let turns = 0;
  const nextTurn = () => {
    turns++;
    return hub.nextTurn();
  };
  const looked = {
    clock: hub.clock,
    connections: (of?: Parameters<typeof hub.connections>[0]) => hub.connections(of),
    nextTurn,
  };
  const list = await listConnections(looked, app, { search: "user-777", limit: 5, node: "here" });
  expect([list.total, list.connections.length]).toEqual([11, 5]);
  expect(turns).toBe(10);
});

describe("one connection", () => {
  test("is described by the handshake, and pinged while it is watched", async () => {
    const { url } = await startServer({ ...SIGNED, limits: { readerLagS: 3 } });
    const vera = await signedIn(url, "vera");
    const client = await connectPusher(url, {
      query: "protocol=7&client=js&version=8.4.0",
      headers: { "user-agent": AGENT },
    });
    const live = await vera.watch();
    await live.subscribe({ type: "connection", app: "app", id: client.socketId });
    const { connection } = await live.next("connection", (report) => report.connection?.rttMs !== undefined);
    expect(connection).toMatchObject({ agent: AGENT, library: "pusher-js 8.4.0", protocol: "pusher" });
    expect(connection?.rttMs).toBeLessThan(2_000);
    expect(connection?.identity).toBeUndefined();
  });
});
