/** What a back end does with connections that are open, by `createSteering`, on a real server. */

import { expect, test } from "bun:test";
import { createPublisher, createSteering } from "../../packages/publisher/src/index.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const server = await startServer();
const options = { url: server.url, appId: APP.id, key: APP.key, secret: APP.secret };
const [publisher, steering] = [createPublisher(options), createSteering(options)];

const reached = (connections: number) => ({ connections, nodesMissing: 0 });
const CHANNELS = { channels: ["private-*", "presence-*"] };

/** Whom a call acts on is known to the server once it has answered. */
async function signedIn(user: string) {
  const client = await connectAs(server.url, user, CHANNELS);
  await client.ping();
  return client;
}

test("a user is put into a channel, taken out, and put into it on later connections for a while", async () => {
  const ada = await signedIn("ada");
  const user = steering.user("ada");
  expect(await user.subscribe("presence-room", { info: { name: "Ada" }, stickyS: 60 })).toEqual(reached(1));
  expect(await ada.next("subscribed")).toMatchObject({ channel: "presence-room", by: "server" });
  const members = await steering.channel("presence-room").members();
  expect(members).toEqual([{ id: "ada", info: { name: "Ada" }, joinedAtMs: expect.any(Number) }]);
  const later = await signedIn("ada");
  expect(await later.next("subscribed")).toMatchObject({ channel: "presence-room", by: "server" });
  expect(await user.unsubscribe("presence-room", { message: "Over." })).toEqual(reached(2));
  for (const client of [ada, later])
    expect(await client.next("unsubscribed")).toMatchObject({ by: "server", code: "unsubscribed", message: "Over." });
  expect(await steering.user("nobody").subscribe("presence-room")).toEqual(reached(0));
});

test("a user is kicked, kept out while the ban lasts, and let in again after it", async () => {
  const bob = await signedIn("bob");
  await bob.subscribe("private-forum");
  const user = steering.user("bob");
  expect(await user.kick("private-forum", { banS: 600, message: "Be kind." })).toEqual(reached(1));
  expect(await bob.next("unsubscribed")).toMatchObject({ code: "kicked", message: "Be kind." });
  await expect(bob.subscribe("private-forum")).rejects.toThrow("unauthorized");
  await user.unban("private-forum");
  await bob.subscribe("private-forum");
  expect(await user.kick("private-forum")).toEqual(reached(1));
  await bob.next("unsubscribed");
  await bob.subscribe("private-forum");
});

test("all connections in a channel, or one, are taken out or asked to connect again", async () => {
  const [eve, guest] = [await signedIn("eve"), await connectPusher(server.url)];
  await eve.subscribe("hall");
  await guest.subscribe("hall");
  expect(await steering.connection(guest.socketId).kick("hall")).toEqual(reached(1));
  expect(await guest.next("pusher:subscription_error")).toMatchObject({ channel: "hall" });
  await guest.subscribe("hall");
  expect(await steering.channel("hall").kick({ message: "We close." })).toEqual(reached(2));
  expect(await eve.next("unsubscribed")).toMatchObject({ channel: "hall", message: "We close." });

  const one = steering.connection(eve.id);
  expect(await one.subscribe("hall")).toEqual(reached(1));
  await eve.next("subscribed");
  expect(await one.unsubscribe("hall")).toEqual(reached(1));
  await eve.next("unsubscribed");
  await eve.subscribe("hall");
  expect(await steering.channel("hall").reconnect({ spreadMs: 50 })).toEqual(reached(1));
  expect(await eve.next("closing")).toMatchObject({ code: "reconnect" });
  expect(await one.reconnect()).toEqual(reached(0));
});

test("connections are closed, and a user's tokens refused where that is asked for", async () => {
  const token = await publisher.token({ user: "mallory" });
  const [first, second] = [await signedIn("mallory"), await signedIn("mallory")];
  expect(await steering.connection(first.id).disconnect({ message: "Bye." })).toEqual(reached(1));
  expect(await first.next("closing")).toMatchObject({ code: "terminated" });
  const user = steering.user("mallory");
  expect(await user.disconnect()).toEqual(reached(1));
  expect(await second.next("closing")).toMatchObject({ code: "terminated" });
  const third = await signedIn("mallory");
  expect(await user.reconnect()).toEqual(reached(1));
  expect(await third.next("closing")).toMatchObject({ code: "reconnect" });
  const again = await connectNative(server.url, { token });
  await again.ping();
  expect(await user.disconnect({ revoke: true })).toEqual(reached(1));
  const refused = await connectNative(server.url, { token });
  expect(await refused.next("closing")).toMatchObject({ code: "token_invalid" });
});

test("connections are listed page by page, of a user or in a channel", async () => {
  const clients = [await signedIn("zoe"), await signedIn("zoe"), await signedIn("zoe")];
  const ids = clients.map(({ id }) => id).sort();
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await steering.connections({ userId: "zoe", limit: 2, ...(cursor !== undefined && { cursor }) });
    expect(page.nodesMissing).toBe(0);
    seen.push(...page.items.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== undefined);
  expect([...seen].sort()).toEqual(ids);
  const [first] = clients;
  await first?.subscribe("den");
  const { items, next } = await steering.connections({ channel: "den" });
  expect(next).toBeUndefined();
  expect(items).toEqual([
    {
      id: first?.id ?? "",
      user: "zoe",
      address: "127.0.0.1",
      protocol: "native",
      transport: "websocket",
      node: expect.any(Number),
      openedAtMs: expect.any(Number),
      channels: ["den"],
      channelCount: 1,
    },
  ]);
  const guest = await connectPusher(server.url);
  await guest.subscribe("den");
  const all = (await steering.connections({ channel: "den" })).items;
  expect(all.find(({ id }) => id === guest.socketId)?.user).toBeUndefined();
  expect((await steering.connections()).items.length).toBeGreaterThanOrEqual(4);
});

test("what has no use is refused, here or by the server", async () => {
  expect(() => createSteering({ ...options, secret: "" })).toThrow("createSteering: secret is missing.");
  expect(() => steering.user("")).toThrow("not empty");
  await expect(steering.channel("hall").members()).rejects.toMatchObject({ status: 400, code: "data_invalid" });
  await expect(steering.channel("a b").kick()).rejects.toMatchObject({ status: 400, code: "channel_invalid" });
  const ban = steering.user("ada").kick("hall", { banS: -1 });
  await expect(ban).rejects.toMatchObject({ status: 400, code: "data_invalid" });
  await expect(steering.connections({ limit: 0 })).rejects.toMatchObject({ status: 400 });
  const aborted = steering.connections({ signal: AbortSignal.abort(new Error("enough")) });
  await expect(aborted).rejects.toThrow("enough");
});
