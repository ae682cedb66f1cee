/** How long names may be and what they may consist of: channels, events, users. */

import { describe, expect, test } from "bun:test";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";
import { apiRefusal, apiStatus, publishRefusal, subscribeRefusal } from "./refusals.ts";

const server = await startServer(
  {},
  { anonymous: true, limits: { channelNameLength: 20, eventNameLength: 15, userIdLength: 8 } },
);
const { url } = server;
const clients = [
  ["Pusher", connectPusher],
  ["native", connectNative],
] as const;

const LONG_CHANNEL = "c".repeat(21);
const LONG_EVENT = `client-${"e".repeat(9)}`;
const BAD_CHANNELS = ["", "a b", "a/b", "ünïcode", "a\nb", "a\u0000b", "#other", "a:b", "a*", "a>", "😀"];

describe.each(clients)("over the %s protocol", (_, connect) => {
  test("a channel name may have as many characters as configured, and not one more", async () => {
    const client = await connect(url);
    await client.subscribe("c".repeat(20));
    expect(await subscribeRefusal(client, LONG_CHANNEL)).toMatchObject({
      code: "channel_invalid",
      message: "The channel name is 21 characters long; at most 20 (channelNameLength).",
    });
    await client.ping();
  });

  test.each(BAD_CHANNELS)("the channel name %j is refused, and the connection goes on", async (channel) => {
    const client = await connect(url);
    expect(await subscribeRefusal(client, channel)).toMatchObject({
      code: "channel_invalid",
      message: "A channel name consists of letters, digits and - _ = @ , . ; only.",
    });
    await client.subscribe("fine-_=@,.;1");
  });

  test("an event name may have as many characters as configured, and not one more", async () => {
    const [client, other] = [await connect(url), await connectPusher(url)];
    await other.subscribe("private-x");
    const permission = "permission" in client ? client.permission("private-x") : {};
    await client.subscribe("private-x", permission);
    expect(await publishRefusal(client, "private-x", LONG_EVENT)).toMatchObject({
      message: "An event name has 1 to 15 characters (eventNameLength); this one has 16.",
    });
    const longest = LONG_EVENT.slice(0, 15);
    if ("ask" in client) client.send("publish", { channel: "private-x", event: longest });
    else client.send(longest, {}, "private-x");
    expect((await other.nextIn("private-x")).event).toBe(longest);
    await other.silence(0);
  });

  test("a user id of a presence channel may have as many characters as configured", async () => {
    const client = await connect(url);
    const message = "A user id has 1 to 8 characters (userIdLength) and no control characters.";
    for (const user_id of ["123456789", "", "a\nb", "\u0000", "\ud800"]) {
      const refusal = await subscribeRefusal(client, "presence-x", { user_id });
      expect(refusal).toMatchObject({ code: "user_invalid", message });
    }
    const member = { user_id: "12345678" };
    await client.subscribe(
      "presence-x",
      "permission" in client ? client.permission("presence-x", member) : { data: member },
    );
  });
});

test("a user id may have as many characters as configured when somebody signs in", async () => {
  const client = await connectPusher(url);
  expect(await client.signin({ id: "123456789" })).toMatchObject({
    event: "pusher:error",
    data: { message: "A user id has 1 to 8 characters (userIdLength) and no control characters." },
  });
  expect(await client.signin({ id: "12345678" })).toMatchObject({ event: "pusher:signin_success" });
});

test("a user's own channel is bound by the length of user ids, not by that of channel names", async () => {
  const client = await connectPusher(url);
  await client.signin({ id: "12345678" });
  await client.subscribe("#server-to-user-12345678");
  expect(await subscribeRefusal(client, "#server-to-user-123456789")).toMatchObject({ code: "user_invalid" });
});

describe("over HTTP", () => {
  test.each([LONG_CHANNEL, ...BAD_CHANNELS])("the channel name %j is refused everywhere", async (channel) => {
    const refused = { status: 400, code: "channel_invalid" };
    const event = { name: "x", data: "{}" };
    expect(await apiRefusal(url, "POST", "/events", { ...event, channels: ["fine", channel] })).toMatchObject(refused);
    expect(await apiRefusal(url, "POST", "/batch_events", { batch: [{ ...event, channel }] })).toMatchObject(refused);
    if (channel === "") return;
    const path = `/channels/${encodeURIComponent(channel)}`;
    expect(await apiRefusal(url, "GET", path)).toMatchObject(refused);
    expect(await apiRefusal(url, "GET", `${path}/users`)).toMatchObject(refused);
  });

  test("an event name may have as many characters as configured, and not one more", async () => {
    const named = (name: string) => ({ name, channel: "c", data: "{}" });
    expect(await apiStatus(url, "POST", "/events", named("e".repeat(15)))).toBe(200);
    const refusal = { status: 400, code: "event_invalid", message: expect.stringContaining("1 to 15 characters") };
    expect(await apiRefusal(url, "POST", "/events", named("e".repeat(16)))).toMatchObject(refusal);
    expect(await apiRefusal(url, "POST", "/events", named(""))).toMatchObject(refusal);
    expect(await apiRefusal(url, "POST", "/batch_events", { batch: [named("e".repeat(16))] })).toMatchObject(refusal);
    expect(await apiRefusal(url, "POST", "/events", named("\ud800"))).toMatchObject({ code: "event_invalid" });
  });

  test("a user id may have as many characters as configured, and not one more", async () => {
    expect(await apiStatus(url, "POST", "/users/12345678/terminate_connections", {})).toBe(200);
    const refusal = { status: 400, code: "user_invalid", message: expect.stringContaining("1 to 8 characters") };
    expect(await apiRefusal(url, "POST", "/users/123456789/terminate_connections", {})).toMatchObject(refusal);
    const toUser = { name: "x", data: "{}", channel: "#server-to-user-123456789" };
    expect(await apiRefusal(url, "POST", "/events", toUser)).toMatchObject(refusal);
  });
});

test("a program is told the same", async () => {
  await expect(server.toChannel(LONG_CHANNEL).push({ event: "x" })).rejects.toMatchObject({ code: "channel_invalid" });
  await expect(server.toChannel("c").push({ event: LONG_EVENT })).rejects.toMatchObject({ code: "event_invalid" });
  await expect(server.toUser("123456789").push({ event: "x" })).rejects.toMatchObject({ code: "user_invalid" });
  await server.toChannel("c").push({ event: "x" });
});
