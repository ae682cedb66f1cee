/** Presence: what clients say of themselves as members, apart from who they are; and who sees it without being there. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import type { AppInput } from "../support/server.ts";
import { APP, startServer } from "../support/server.ts";

const ROOM = "presence-room";
const ALLOWED = { channels: ["presence-*"] };

const start = (app: Partial<AppInput> = {}) =>
  startServer({}, { anonymous: true, limits: { memberUpdatesPerSecond: 1_000, presenceMembers: 20 }, ...app });

async function member(url: string, user: string, info?: unknown): Promise<NativeTestClient> {
  const client = await connectAs(url, user, { ...ALLOWED, ...(info !== undefined && { info }) });
  await client.subscribe(ROOM);
  return client;
}

const setState = (client: NativeTestClient, state: unknown, channel = ROOM) =>
  client.ask("presence", { channel, state });
const updatesOf = async (client: NativeTestClient) =>
  (await client.unread()).flatMap(({ event, data }) => (event === "member_updated" ? [data] : []));
const updated = (client: NativeTestClient) => client.next(({ event }) => event === "member_updated");

describe("a member's state", () => {
  test("is acknowledged, reaches all members, and is in the answer to those who come later", async () => {
    const { url } = await start();
    const ada = await member(url, "ada", { name: "Ada" });
    const bob = await member(url, "bob");
    expect(await setState(ada, { typing: true })).toEqual({ event: "presence", channel: ROOM, id: "ask-2" });
    const frame = { event: "member_updated", channel: ROOM, data: { user: { id: "ada", state: { typing: true } } } };
    expect([await updated(ada), await updated(bob)]).toEqual([frame, frame]);
    const cyd = await connectAs(url, "cyd", ALLOWED);
    const { data } = await cyd.subscribe(ROOM);
    expect(data).toEqual({
      members: [{ id: "ada", info: { name: "Ada" }, state: { typing: true } }, { id: "bob" }, { id: "cyd" }],
    });
  });

  test("stays as it was written, and is taken away by null", async () => {
    const { url } = await start();
    const [ada, bob] = [await member(url, "ada"), await member(url, "bob")];
    ada.socket.send(`{"event":"presence","data":{"channel":"${ROOM}","state":{"n":12345678901234567890, "x":1.0}}}`);
    await eventually(() =>
      expect(bob.socket.raw.at(-1)).toContain('"user":{"id":"ada","state":{"n":12345678901234567890, "x":1.0}}'),
    );
    expect(await setState(ada, null)).toMatchObject({ event: "presence" });
    await eventually(async () => expect(await updatesOf(bob)).toContainEqual({ user: { id: "ada", state: null } }));
    const cyd = await connectAs(url, "cyd", ALLOWED);
    expect((await cyd.subscribe(ROOM)).data).toEqual({ members: [{ id: "ada" }, { id: "bob" }, { id: "cyd" }] });
  });

  test("is the user's: any connection sets it, the last one counts, and it is gone with the last connection", async () => {
    const { url } = await start();
    const [first, second, bob] = [await member(url, "ada"), await member(url, "ada"), await member(url, "bob")];
    await setState(first, 1);
    await setState(second, 2);
    await second.close();
    await eventually(async () => expect((await updatesOf(bob)).at(-1)).toEqual({ user: { id: "ada", state: 2 } }));
    const cyd = await connectAs(url, "cyd", ALLOWED);
    expect((await cyd.subscribe(ROOM)).data).toEqual({
      members: [{ id: "ada", state: 2 }, { id: "bob" }, { id: "cyd" }],
    });
    await first.close();
    await bob.next(({ event }) => event === "member_removed");
    await member(url, "ada");
    expect(await bob.next(({ event, data }) => event === "member_added" && /ada/.test(JSON.stringify(data)))).toEqual({
      event: "member_added",
      channel: ROOM,
      data: { user: { id: "ada" } },
    });
  });

  test("is told once where a user's many connections say it within a moment: the first and the last", async () => {
    const { url } = await start();
    const bob = await member(url, "bob");
    const tabs = await Promise.all(Array.from({ length: 20 }, () => member(url, "ada")));
    const beganMs = performance.now();
    const answers = await Promise.all(tabs.map((tab, n) => setState(tab, n)));
    expect(answers.map(({ event }) => event)).toEqual(tabs.map(() => "presence"));
    const most = 2 + Math.floor((performance.now() - beganMs) / 50);
    const updates = await updatesOf(bob);
    expect(updates.length).toBeLessThanOrEqual(most);
    const last = updates.at(-1);
    for (const tab of tabs) expect((await updatesOf(tab)).at(-1)).toEqual(last);
  });

  test("is refused where the client is no member, and the connection goes on", async () => {
    const { url } = await start();
    const ada = await connectAs(url, "ada", ALLOWED);
    const refused = { event: "error", code: "not_subscribed", channel: ROOM };
    expect(await setState(ada, 1)).toMatchObject(refused);
    await ada.subscribe("chat");
    expect(await setState(ada, 1, "chat")).toMatchObject({ ...refused, channel: "chat" });
    await ada.subscribe(ROOM);
    await ada.ask("unsubscribe", { channel: ROOM });
    expect(await setState(ada, 1)).toMatchObject(refused);
    await ada.ping();
  });

  test("is bounded in size, in depth and in how often it changes", async () => {
    const { url } = await start({ limits: {} });
    const ada = await member(url, "ada");
    expect(await setState(ada, "x".repeat(1022))).toMatchObject({ event: "presence" });
    expect(await setState(ada, "ü".repeat(600))).toMatchObject({ event: "error", code: "data_too_large" });
    const limited = await setState(ada, 1);
    expect(limited).toMatchObject({ event: "error", code: "rate_limited", channel: ROOM });
    expect(limited.retryAfterMs as unknown as number).toBeWithin(1, 501);
    await Bun.sleep(limited.retryAfterMs as unknown as number);
    expect(await setState(ada, 1)).toMatchObject({ event: "presence" });
    await Bun.sleep(550);
    const deep = JSON.parse(`${"[".repeat(40)}1${"]".repeat(40)}`);
    ada.send("presence", { channel: ROOM, state: deep });
    expect(await ada.next(({ event }) => event === "error")).toMatchObject({ code: "malformed" });
    expect(await ada.ask("presence", { channel: ROOM })).toMatchObject({ code: "malformed" });
  });

  test("cannot be forged by an event: its names are reserved for the server", async () => {
    const server = await start({ channels: [{ match: "presence-*", clientPublish: "any" }] });
    const ada = await member(server.url, "ada");
    for (const event of ["member_updated", "presence", "fanfare:member_updated"]) {
      expect(await ada.ask("publish", { channel: ROOM, event })).toMatchObject({ code: "event_reserved" });
    }
    const body = JSON.stringify({ name: "fanfare:member_updated", channel: ROOM, data: "{}" });
    expect((await signedFetch(server.url, APP, "POST", "/events", { body })).status).toBe(400);
  });

  test("is an event with the user's id for Pusher clients, and markup is only text", async () => {
    const { url } = await start();
    const pusher = await connectPusher(url);
    await pusher.subscribe(ROOM, { data: { user_id: "bob" } });
    const ada = await member(url, "ada");
    await setState(ada, { html: "<script>alert(1)</script>" });
    expect(await pusher.next(({ event }) => event === "fanfare:member_updated")).toEqual({
      event: "fanfare:member_updated",
      channel: ROOM,
      data: '{"user_id":"ada","state":{"html":"<script>alert(1)</script>"}}',
      user_id: "ada",
    });
  });

  test("is in what the back end and the program read of the members, beside what the app says of them", async () => {
    const server = await start();
    const ada = await member(server.url, "ada", { name: "Ada" });
    await member(server.url, "bob");
    await setState(ada, [1, "<b>"]);
    const answer = await signedFetch(server.url, APP, "GET", `/channels/${ROOM}/members`);
    const joined_at_ms = expect.any(Number);
    expect(await answer.json()).toEqual({
      members: [
        { id: "ada", info: { name: "Ada" }, state: [1, "<b>"], joined_at_ms },
        { id: "bob", info: null, joined_at_ms },
      ],
    });
    expect(await server.members(ROOM)).toEqual([
      { id: "ada", info: { name: "Ada" }, state: [1, "<b>"], joinedAtMs: expect.any(Number) },
      { id: "bob", info: null, joinedAtMs: expect.any(Number) },
    ]);
  });
});

describe("what the app says of a user", () => {
  const authenticate = async (client: NativeTestClient, claims: object) =>
    client.ask("authenticate", { token: await makeToken({ sub: "ada", ...ALLOWED, ...claims }) });

  test("is told to the members where a newer token says something else; the state stays", async () => {
    const { url } = await start();
    const [ada, bob] = [await member(url, "ada", { name: "Ada" }), await member(url, "bob")];
    await setState(ada, "away");
    await bob.next(({ event }) => event === "member_updated");
    expect((await authenticate(ada, { info: { name: "Ada L." } })).event).toBe("authenticated");
    expect(await updated(bob)).toEqual({
      event: "member_updated",
      channel: ROOM,
      data: { user: { id: "ada", info: { name: "Ada L." } } },
    });
    await authenticate(ada, { info: { name: "Ada L." } });
    await authenticate(ada, {});
    expect((await updated(bob)).data).toEqual({ user: { id: "ada", info: null } } as never);
    const cyd = await connectAs(url, "cyd", ALLOWED);
    expect((await cyd.subscribe(ROOM)).data).toEqual({
      members: [{ id: "ada", state: "away" }, { id: "bob" }, { id: "cyd" }],
    });
  });

  test("stays where a signature said it for the channel", async () => {
    const { url } = await start();
    const bob = await member(url, "bob");
    const ada = await connectAs(url, "ada", { info: { name: "Ada" } });
    await ada.subscribe(ROOM, ada.permission(ROOM, { user_id: "ada", user_info: { name: "Countess" } }));
    await authenticate(ada, { info: { name: "Ada L." } });
    expect(await updatesOf(bob)).toEqual([]);
  });

  test("is refused to the channel where it is too long, and the client stays signed in", async () => {
    const { url } = await start();
    const [ada, bob] = [await member(url, "ada"), await member(url, "bob")];
    expect((await authenticate(ada, { info: "x".repeat(2_000) })).event).toBe("authenticated");
    expect(await updatesOf(bob)).toEqual([]);
  });
});

describe("who watches", () => {
  const WATCHES = { watch: ["presence-*"] };

  test("sees the members, who comes, changes and goes, and is seen by nobody", async () => {
    const server = await start();
    const ada = await member(server.url, "ada", { name: "Ada" });
    await setState(ada, 1);
    await ada.unread();
    const eve = await connectAs(server.url, "eve", WATCHES);
    const { data } = await eve.subscribe(ROOM, { presence: "watch" });
    expect(data).toEqual({ members: [{ id: "ada", info: { name: "Ada" }, state: 1 }] });
    const bob = await member(server.url, "bob");
    await setState(bob, 2);
    await bob.close();
    const event = (name: string) => eve.next((frame) => frame.event === name);
    expect((await event("member_added")).data).toEqual({ user: { id: "bob" } } as never);
    expect((await event("member_updated")).data).toEqual({ user: { id: "bob", state: 2 } } as never);
    expect((await event("member_removed")).data).toEqual({ user: { id: "bob" } } as never);
    expect((await server.members(ROOM)).map(({ id }) => id)).toEqual(["ada"]);
    expect(await server.channel(ROOM).info()).toMatchObject({ subscribers: 2, users: 1 });
    await eve.close();
    await eventually(async () => expect(await server.channel(ROOM).info()).toMatchObject({ subscribers: 1, users: 1 }));
    expect(JSON.stringify(await ada.unread())).not.toContain('"eve"');
  });

  test("hears events and says nothing: neither a state nor an event", async () => {
    const server = await start({ channels: [{ match: "presence-*", clientPublish: "any" }] });
    const ada = await member(server.url, "ada");
    const eve = await connectAs(server.url, "eve", WATCHES);
    await eve.subscribe(ROOM, { presence: "watch" });
    expect(await setState(eve, 1)).toMatchObject({ code: "not_subscribed" });
    expect(await eve.ask("publish", { channel: ROOM, event: "e" })).toMatchObject({ code: "publish_forbidden" });
    await ada.ask("publish", { channel: ROOM, event: "e", data: 7 });
    expect(await eve.next(({ event }) => event === "e")).toMatchObject({ data: 7, user: "ada" } as never);
    expect(await ada.unread()).toEqual([]);
  });

  test("needs a permission of its own: who may be a member may not watch for that", async () => {
    const server = await start();
    const watch = (client: NativeTestClient, channel = ROOM, more = {}) =>
      client.ask("subscribe", { channel, presence: "watch", ...more });
    const ada = await connectAs(server.url, "ada", ALLOWED);
    expect(await watch(ada)).toMatchObject({ event: "error", code: "unauthorized" });
    expect(await watch(ada, ROOM, ada.permission(ROOM, { user_id: "ada" }))).toMatchObject({ code: "unauthorized" });
    const eve = await connectAs(server.url, "eve", { watch: ["presence-room", "chat"] });
    expect(await watch(eve, "presence-other")).toMatchObject({ code: "unauthorized" });
    expect(await watch(eve, "chat")).toMatchObject({ code: "channel_invalid" });
    expect(await eve.ask("subscribe", { channel: ROOM })).toMatchObject({ code: "unauthorized" });
    server.on("authorize", () => true);
    expect(await watch(await connectNative(server.url))).toMatchObject({ code: "unauthorized" });
    server.on("watch", (_, channel) => channel === ROOM);
    const anybody = await connectNative(server.url);
    expect(await watch(anybody)).toMatchObject({ event: "subscribed", data: { members: [] } } as never);
    expect(await watch(anybody, "presence-other")).toMatchObject({ code: "unauthorized" });
  });

  test("leaves where a newer token does not allow it any more", async () => {
    const { url } = await start();
    const eve = await connectAs(url, "eve", WATCHES);
    await eve.subscribe(ROOM, { presence: "watch" });
    await eve.ask("authenticate", { token: await makeToken({ sub: "eve", ...WATCHES }) });
    expect(await eve.unread()).toEqual([]);
    await eve.ask("authenticate", { token: await makeToken({ sub: "eve", ...ALLOWED }) });
    expect(await eve.next()).toMatchObject({ event: "unsubscribed", channel: ROOM, code: "permission_gone" } as never);
  });
});
