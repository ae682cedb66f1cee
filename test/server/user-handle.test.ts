/** What a program does with connections by name, over real sockets: a user's, one, and those in a channel. */

import { expect, test } from "bun:test";
import { startCluster } from "../cluster/cluster.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

test("a program puts a user into a channel, takes it out, keeps it out and lets it in again, and knows its node", async () => {
  const server = await startServer({}, { anonymous: true });
  const user = server.user("ada");
  const client = await connectAs(server.url, "ada", { channels: ["presence-*"] });
  await client.ping();
  expect(await user.subscribe("presence-room", { info: { role: "lead" }, stickyS: 60 })).toEqual({
    connections: 1,
    nodesMissing: 0,
  });
  expect(await client.next("subscribed")).toMatchObject({ channel: "presence-room", by: "server" });
  const listed = await signedFetch(server.url, APP, "GET", "/channels/presence-room/members");
  expect(await listed.json()).toEqual({
    members: [{ id: "ada", info: { role: "lead" }, joined_at_ms: expect.any(Number) }],
  });
  const late = await connectAs(server.url, "ada");
  expect(await late.next("subscribed")).toMatchObject({ channel: "presence-room" });
  expect(await user.unsubscribe("presence-room", { message: "Enough." })).toMatchObject({ connections: 2 });
  expect(await client.next("unsubscribed")).toMatchObject({ code: "unsubscribed", message: "Enough." });
  await client.subscribe("presence-room");
  expect(await user.kick("presence-room", { banS: 60 })).toMatchObject({ connections: 1 });
  expect(await client.ask("subscribe", { channel: "presence-room" })).toMatchObject({ code: "unauthorized" });
  await user.unban("presence-room");
  await client.subscribe("presence-room");
  expect(await user.reconnect()).toMatchObject({ connections: 2 });
  expect((await client.socket.closed).code).toBe(4200);
  expect(await server.nodes()).toMatchObject([{ id: expect.any(String), draining: false }]);
  const back = await connectAs(server.url, "ada");
  await back.ping();
  await user.subscribe("brief", { expiresAtMs: Date.now() + 500 });
  expect(await back.next("unsubscribed")).toMatchObject({ channel: "brief", code: "permission_gone" });
  await expect(user.subscribe("brief", { expiresAtMs: 5 })).rejects.toThrow(RangeError);
  await expect(user.subscribe("no space")).rejects.toMatchObject({ code: "channel_invalid" });
  expect(() => server.user("")).toThrow(expect.objectContaining({ code: "user_invalid" }));
  expect((await signedFetch(server.url, APP, "GET", "/channels/open/members")).status).toBe(400);
});

test("a program acts on a channel and on one connection, on another node too, and lists connections", async () => {
  const { one, other } = await startCluster({}, { anonymous: true });
  const [near, far] = [await connectNative(one.url), await connectAs(other.url, "ada")];
  const reached = (connections: number) => ({ connections, nodesMissing: 0 });
  expect(await one.connection(far.id).subscribe("news")).toEqual(reached(1));
  expect(await far.next("subscribed")).toMatchObject({ channel: "news", by: "server" });
  expect(await other.connection(near.id).subscribe("presence-room", { user: 7, info: { n: 1 } })).toEqual(reached(1));
  expect(await near.next("subscribed")).toMatchObject({ channel: "presence-room" });
  expect(await one.channel("presence-room").members()).toMatchObject([{ id: "7", info: { n: 1 } }]);
  expect(await one.connection(far.id).unsubscribe("news", { message: "Enough." })).toEqual(reached(1));
  expect(await far.next("unsubscribed")).toMatchObject({ code: "unsubscribed", message: "Enough." });
  await far.subscribe("news");
  expect(await one.connection(far.id).kick("news")).toEqual(reached(1));
  expect(await far.next("unsubscribed")).toMatchObject({ code: "kicked" });
  await far.subscribe("news");
  await near.subscribe("news");
  await one.channel("news").push({ event: "said", data: 1 });
  await one.channel("news").except(near.id).push({ event: "said", data: 2 });
  for (const data of [1, 2]) expect(await far.next("said")).toMatchObject({ channel: "news", data });
  expect((await near.unread()).flatMap(({ event, data }) => (event === "said" ? [data] : []))).toEqual([1]);
  await one.user("ada").push({ event: "told", data: 3 });
  expect(await far.next("told")).toMatchObject({ data: 3 });

  const page = await one.connections.list({ limit: 1 });
  const rest = await one.connections.list({ limit: 1, cursor: page.next });
  expect([page.nodesMissing, rest.next]).toEqual([0, undefined]);
  expect([...page.items, ...rest.items].map(({ id }) => id).sort()).toEqual([near.id, far.id].sort());
  const adas = await one.connections.list({ userId: "ada", channel: "news" });
  expect(adas.items).toMatchObject([{ id: far.id, user: "ada", protocol: "native", channels: ["news"] }]);
  await expect(one.connections.list({ limit: 0 })).rejects.toThrow(RangeError);

  expect(await one.channel("news").kick({ message: "We close." })).toEqual(reached(2));
  for (const client of [near, far]) {
    expect(await client.next("unsubscribed")).toMatchObject({ code: "kicked", message: "We close." });
  }
  await near.subscribe("news");
  expect(await other.channel("news").reconnect({ spreadMs: 10 })).toEqual(reached(1));
  expect((await near.socket.closed).code).toBe(4200);
  expect(await one.user("ada").disconnect()).toEqual(reached(1));
  expect((await far.socket.closed).code).toBe(4009);
  await expect(one.user("ada").kick("news", { banS: 1e9 })).rejects.toThrow(RangeError);
  await expect(one.user("ada").subscribe("news", { stickyS: 0 })).rejects.toThrow(RangeError);
});
