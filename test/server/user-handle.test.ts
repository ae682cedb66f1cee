/** What a program does with a user's connections by name, over real sockets. */

import { expect, test } from "bun:test";
import { connectAs } from "../support/native-client.ts";
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
  expect(await user.unsubscribe("presence-room", "Enough.")).toMatchObject({ connections: 2 });
  expect(await client.next("unsubscribed")).toMatchObject({ code: "unsubscribed", message: "Enough." });
  await client.subscribe("presence-room");
  expect(await user.kick("presence-room", { banS: 60 })).toMatchObject({ connections: 1 });
  expect(await client.ask("subscribe", { channel: "presence-room" })).toMatchObject({ code: "unauthorized" });
  await user.unban("presence-room");
  await client.subscribe("presence-room");
  expect(await user.reconnect()).toMatchObject({ connections: 2 });
  expect((await client.socket.closed).code).toBe(4200);
  expect(await server.nodes()).toMatchObject([{ id: expect.any(String), draining: false }]);
  await expect(user.subscribe("no space")).rejects.toMatchObject({ code: "channel_invalid" });
  expect(() => server.user("")).toThrow(expect.objectContaining({ code: "user_invalid" }));
  expect((await signedFetch(server.url, APP, "GET", "/channels/open/members")).status).toBe(400);
});
