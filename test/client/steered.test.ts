/** What the back end does with a client's subscriptions, on a real server: the client is told, and does not come back by itself. */

import { expect, test } from "bun:test";
import { createSteering } from "../../packages/publisher/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { APP } from "../support/server.ts";
import { startWorld } from "./server-world.ts";

const world = await startWorld();
const steering = createSteering({ url: world.url, appId: APP.id, key: APP.key, secret: APP.secret });

async function attachedAs(user: string, name: string, proxied = false) {
  const token = await makeToken({ sub: user, channels: ["presence-*", "private-*"] });
  const client = proxied ? world.client({ token }) : world.directClient({ token });
  const channel = client.channel(name);
  const [heard, removals]: [unknown[], [string, string][]] = [[], []];
  channel.on("n", (n) => heard.push(n));
  channel.onRemoved(({ code, message }) => removals.push([code, message]));
  await eventually(() => expect(channel.snapshot.state).toBe("attached"));
  return { client, channel, heard, removals };
}

test("who is kicked is told, hears nothing more, and stays out over new listeners and a cut, until it tries again", async () => {
  const { client, channel, heard, removals } = await attachedAs("ada", "kept-forum", true);
  await world.publish("kept-forum", "n", 1);
  await eventually(() => expect(heard).toEqual([1]));
  expect(await steering.user("ada").kick("kept-forum", { message: "Be kind." })).toMatchObject({ connections: 1 });
  await eventually(() => expect(removals).toEqual([["kicked", "Be kind."]]));
  expect(channel.snapshot).toMatchObject({ state: "refused", error: { code: "kicked", channel: "kept-forum" } });
  await expect(channel.publish("n", 0)).rejects.toMatchObject({ code: "kicked" });
  await expect(channel.history()).rejects.toMatchObject({ code: "kicked" });

  channel.onAny(() => {});
  const { id } = client.snapshot;
  world.cut();
  await eventually(() => expect([client.snapshot.state, client.snapshot.id === id]).toEqual(["connected", false]));
  const other = client.channel("kept-other");
  other.hold();
  await eventually(() => expect(other.snapshot.state).toBe("attached"));
  expect(channel.snapshot).toMatchObject({ state: "refused", error: { code: "kicked" } });
  expect((await steering.connections({ channel: "kept-forum" })).items).toEqual([]);

  await world.publish("kept-forum", "n", 2);
  channel.retry();
  // Nothing that it may hear again is lost.
  await eventually(() => expect([channel.snapshot.state, heard]).toEqual(["attached", [1, 2]]));
  expect(channel.snapshot.error).toBeUndefined();
});

test("who is taken out of a presence channel no longer sees its members, and may come once all listeners have gone", async () => {
  const { client, channel, removals } = await attachedAs("bob", "presence-room");
  expect(channel.members.map(({ id }) => id)).toEqual(["bob"]);
  await steering.user("bob").unsubscribe("presence-room", { message: "Over." });
  await eventually(() => expect(removals).toEqual([["unsubscribed", "Over."]]));
  expect([channel.members, channel.me]).toEqual([[], undefined]);
  client.close();
  expect(channel.snapshot.state).toBe("detached");
  client.connect();
  await eventually(() => expect(channel.snapshot.state).toBe("attached"));
  expect(channel.members.map(({ id }) => id)).toEqual(["bob"]);
});

test("a ban is an error like any other, also where the client tries again", async () => {
  const { channel, removals } = await attachedAs("eve", "private-forum");
  await steering.user("eve").kick("private-forum", { banS: 600 });
  await eventually(() => expect(removals).toHaveLength(1));
  channel.retry();
  await eventually(() => expect(channel.snapshot).toMatchObject({ state: "refused", error: { code: "unauthorized" } }));
  await steering.user("eve").unban("private-forum");
  channel.retry();
  await eventually(() => expect(channel.snapshot.state).toBe("attached"));
});

test("who is put into a channel without permission hears it, whether the channel was asked for before or after", async () => {
  const token = await makeToken({ sub: "zoe" });
  const client = world.directClient({ token });
  const [before, after] = [client.channel("private-before"), client.channel("private-after")];
  const heard: unknown[] = [];
  before.on("n", (n) => heard.push(n));
  await eventually(() => expect(before.snapshot).toMatchObject({ state: "refused", error: { code: "unauthorized" } }));
  const user = steering.user("zoe");
  for (const { name } of [before, after]) expect(await user.subscribe(name)).toMatchObject({ connections: 1 });
  await eventually(() => expect([before.snapshot.state, after.snapshot.state]).toEqual(["attached", "attached"]));
  const stop = after.on("n", (n) => heard.push(n));
  await world.publish("private-before", "n", 1);
  await eventually(() => expect(heard).toEqual([1]));
  await world.publish("private-after", "n", 2);
  await eventually(() => expect(heard).toEqual([1, 2]));
  stop();
  await eventually(async () => expect((await steering.connections({ channel: "private-after" })).items).toEqual([]));
});

test("who is put into a channel again with each connection misses nothing over a cut", async () => {
  const { client, channel, heard } = await attachedAs("kim", "kept-sticky", true);
  const gaps: unknown[] = [];
  channel.onGap((gap) => gaps.push(gap));
  await steering.user("kim").subscribe("kept-sticky", { stickyS: 600 });
  for (let n = 0; n < 3; n++) {
    const { id } = client.snapshot;
    world.proxy.cut();
    await world.publish("kept-sticky", "n", 2 * n);
    world.proxy.mend();
    await eventually(() => expect([channel.snapshot.state, client.snapshot.id === id]).toEqual(["attached", false]));
    await world.publish("kept-sticky", "n", 2 * n + 1);
    await eventually(() => expect(heard).toEqual(Array.from({ length: 2 * n + 2 }, (_, at) => at)));
  }
  expect(gaps).toEqual([]);
});

test("a page of history says what to ask for next, in both directions, and may be a range of times", async () => {
  const own = await startWorld({
    channels: [{ match: "kept*", history: { size: 100, ttlS: 600 }, clientHistory: true, clientPublish: "any" }],
  });
  for (let n = 1; n <= 5; n++) await own.publish("kept-pages", "n", n);
  const channel = own.directClient().channel("kept-pages");
  for (const [direction, expected] of [
    ["oldest", [[1, 2], [3, 4], [5]]],
    ["newest", [[4, 5], [2, 3], [1]]],
  ] as const) {
    let page = await channel.history({ direction, limit: 2 });
    const pages = [page.events.map(({ data }) => data)];
    while (page.next) {
      page = await channel.history(page.next);
      pages.push(page.events.map(({ data }) => data));
    }
    expect(pages).toEqual(expected.map((each) => [...each]));
  }
  expect((await channel.history({ fromMs: 1 })).events).toHaveLength(5);
  expect((await channel.history({ toMs: 1 })).events).toEqual([]);
});
