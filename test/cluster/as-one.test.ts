/** What clients and back ends see of a cluster of two: the same as of one server. */

import { describe, expect, test } from "bun:test";
import { startBackend } from "../conformance/backend.ts";
import { type Client, connectClient, own } from "../conformance/pusher-js.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { connectPusher, signedFetch, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { startCluster } from "./cluster.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 50 };

const { one, other, nodes } = await startCluster({}, { anonymous: true, subscriptionCounts: true });
const [near, far] = [startBackend(one), startBackend(other)];

async function ask(url: string, path: string, query: Record<string, string> = {}): Promise<unknown> {
  const answer = await signedFetch(url, APP, "GET", path, { query });
  expect(answer.status).toBe(200);
  return answer.json();
}

describe("publications", () => {
  test("reach pusher-js and native clients of both nodes once, in one order", async () => {
    const clients = [await connectClient(one, near), await connectClient(other, far)];
    const heard = await Promise.all(clients.map(async (client) => (await client.subscribe("order")).heard));
    const native = await connectNative(other.url);
    await native.subscribe("order");
    const sent = Array.from({ length: 40 }, (_, n) =>
      trigger((n % 2 === 0 ? one : other).url, APP, { name: "n", channel: "order", data: String(n) }),
    );
    await Promise.all(sent);
    await eventually(() => expect(heard.map((list) => own(list).length)).toEqual([40, 40]), PATIENCE);
    const seen: unknown[] = [];
    for (let n = 0; n < 40; n++) seen.push((await native.next("n")).data);
    const [first = [], second = []] = heard.map((list) => own(list).map(([, data]) => data));
    expect(new Set(first).size).toBe(40);
    expect([second, seen]).toEqual([first, first]);
  });

  test("leave out a connection of another node, told by the API, by a program, and for who published it", async () => {
    const [sender, reader] = [await connectPusher(one.url), await connectPusher(other.url)];
    for (const client of [sender, reader]) await client.subscribe("private-x");
    await trigger(other.url, APP, { name: "e", channel: "private-x", data: "1", socket_id: sender.socketId });
    await other.toChannel("private-x").except(sender.socketId).push({ event: "e", data: 2 });
    sender.send("client-e", 3, "private-x");
    await trigger(one.url, APP, { name: "e", channel: "private-x", data: "4", socket_id: reader.socketId });
    const isOwn = ({ event }: { event: string }) => event === "e" || event === "client-e";
    for (const data of ["1", "2", "3"]) expect(String((await reader.next(isOwn)).data)).toBe(data);
    expect((await sender.next("e")).data).toBe("4");
    await reader.ping();
    await reader.silence(100, "e");
    await sender.silence(0, "client-e");
  });

  test("last of a cache channel are handed to newcomers of the other node", async () => {
    await trigger(one.url, APP, { name: "last", channel: "cache-x", data: "kept" });
    const late = await connectClient(other, far);
    const { heard } = await late.subscribe("cache-x");
    await eventually(() => expect(own(heard)).toEqual([["last", "kept"]]), PATIENCE);
    const empty = await late.subscribe("cache-empty");
    await eventually(() => expect(empty.heard.map(([event]) => event)).toContain("pusher:cache_miss"), PATIENCE);
  });
});

describe("who is there", () => {
  test("is the same from either node: members, counts, channels, users", async () => {
    const ada = [await connectClient(one, near, { user: "ada" }), await connectClient(other, far, { user: "ada" })];
    const bob = await connectClient(other, far, { user: "bob" });
    for (const client of [...ada, bob]) await client.subscribe("presence-room");
    for (const client of [...ada, bob]) await client.subscribe("room");
    const members = (client: Client) => Object.keys(memberMap(client)).toSorted();
    for (const client of [...ada, bob]) {
      await eventually(() => expect(members(client)).toEqual(["ada", "bob"]), PATIENCE);
    }
    for (const { url } of nodes) {
      expect(await ask(url, "/channels/presence-room/users")).toEqual({ users: [{ id: "ada" }, { id: "bob" }] });
      await eventually(async () => {
        const query = { filter_by_prefix: "presence-", info: "user_count,subscription_count" };
        const told = await ask(url, "/channels", query);
        expect(told).toEqual({ channels: { "presence-room": { user_count: 2, subscription_count: 3 } } });
        const info = { info: "subscription_count" };
        expect(await ask(url, "/channels/room", info)).toEqual({ occupied: true, subscription_count: 3 });
      }, PATIENCE);
    }
    ada[0]?.pusher.disconnect();
    await eventually(async () => {
      expect(await ask(other.url, "/channels/presence-room/users")).toEqual({ users: [{ id: "ada" }, { id: "bob" }] });
      const info = { info: "subscription_count" };
      expect(await ask(one.url, "/channels/room", info)).toEqual({ occupied: true, subscription_count: 2 });
    }, PATIENCE);
    expect(members(bob)).toEqual(["ada", "bob"]);
    ada[1]?.pusher.disconnect();
    await eventually(() => expect(members(bob)).toEqual(["bob"]), PATIENCE);
    bob.pusher.disconnect();
    await eventually(
      async () =>
        expect(await ask(one.url, "/channels", { filter_by_prefix: "presence-room" })).toEqual({ channels: {} }),
      PATIENCE,
    );
  });

  test("is counted for subscribers of both nodes", async () => {
    const [first, second] = [await connectPusher(one.url), await connectPusher(other.url)];
    await first.subscribe("counted");
    await second.subscribe("counted");
    const isTwo = ({ event, data }: { event: string; data?: unknown }) =>
      event === "pusher_internal:subscription_count" && JSON.stringify(data).includes("2");
    await first.next(isTwo);
    await second.next(isTwo);
  });

  test("is told to those who watch a user of another node; and what is sent to the user, or ends it, reaches it there", async () => {
    const watcher = await connectClient(one, near, { user: "watcher", watch: "eve" });
    const heard: unknown[] = [];
    watcher.pusher.user.watchlist.bind("online", ({ user_ids }: { user_ids: string[] }) =>
      heard.push(["on", user_ids]),
    );
    watcher.pusher.user.watchlist.bind("offline", ({ user_ids }: { user_ids: string[] }) =>
      heard.push(["off", user_ids]),
    );
    await watcher.signIn();
    await eventually(() => expect(heard).toEqual([["off", ["eve"]]]), PATIENCE);
    const [eve, native] = [await connectClient(other, far, { user: "eve" }), await connectAs(other.url, "eve")];
    const notes: unknown[] = [];
    eve.pusher.user.bind_global((event: string, data: unknown) => notes.push([event, data]));
    await eve.signIn();
    await eventually(() => expect(heard.slice(1)).toEqual([["on", ["eve"]]]), PATIENCE);
    await eventually(async () => {
      await near.library.sendToUser("eve", "note", { n: 1 });
      expect(notes.length).toBeGreaterThan(0);
    }, PATIENCE);
    await near.library.terminateUserConnections("eve");
    expect((await native.socket.closed).code).toBe(4009);
    await eventually(() => expect(eve.errors).toContain(4009), PATIENCE);
    await eventually(() => expect(heard.slice(2)).toEqual([["off", ["eve"]]]), PATIENCE);
    expect(watcher.state).toBe("connected");
  });
});

function memberMap({ pusher }: Client): Record<string, unknown> {
  const channel = pusher.channel("presence-room") as unknown as { members: { members: Record<string, unknown> } };
  return channel.members.members;
}
