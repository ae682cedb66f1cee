/** laravel-echo over pusher-js, as Laravel's own documentation sets it up for Pusher and for Reverb. */

import { describe, expect, test } from "bun:test";
import Echo from "laravel-echo";
import Pusher from "pusher-js";
import nacl from "tweetnacl";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { APP, startServer } from "../support/server.ts";
import { startBackend } from "./backend.ts";

const server = await startServer();
const backend = startBackend(server);
const { library } = backend;

const NOTIFICATION = "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated";

type Drivers = "pusher" | "reverb";

function openEcho(broadcaster: Drivers, user: string): Echo<"pusher"> | Echo<"reverb"> {
  const options = {
    Pusher,
    key: APP.key,
    wsHost: "127.0.0.1",
    wsPort: server.port,
    forceTLS: false,
    enabledTransports: ["ws" as const],
    nacl,
    authEndpoint: `${backend.url}/broadcasting/auth?user=${user}`,
    userAuthentication: {
      transport: "ajax" as const,
      endpoint: `${backend.url}/broadcasting/user-auth?user=${user}`,
      headers: {},
    },
  };
  const echo =
    broadcaster === "reverb"
      ? new Echo({ broadcaster, ...options })
      : new Echo({ broadcaster, cluster: "mt1", ...options });
  atEnd(() => echo.disconnect());
  return echo;
}

interface PusherConnector {
  readonly pusher: Pusher;
  signin(): void;
}

/** Resolves when the channel says that it is subscribed. */
function subscribed(channel: { subscribed(callback: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => channel.subscribed(resolve));
}

describe.each(["pusher", "reverb"] as const)("with the broadcaster %s", (broadcaster) => {
  test("a public channel hears events by their Laravel names, and its own with a dot", async () => {
    const heard: unknown[] = [];
    const channel = openEcho(broadcaster, "ada").channel("orders");
    channel.listen("OrderShipped", (data: unknown) => heard.push(data));
    channel.listen(".order.paid", (data: unknown) => heard.push(data));
    await subscribed(channel);
    await library.trigger("orders", "App\\Events\\OrderShipped", { id: 1 });
    await library.trigger("orders", "order.paid", { id: 2 });
    await eventually(() => expect(heard).toEqual([{ id: 1 }, { id: 2 }]));
  });

  test("a private channel hears events and notifications, and a whisper reaches the others only", async () => {
    const name = `App.Models.User.${broadcaster}`;
    const channels = ["ada", "bob"].map((user) => openEcho(broadcaster, user).private(name));
    const heard = channels.map((channel) => {
      const list: unknown[] = [];
      channel.listen("Paid", (data: unknown) => list.push(["event", data]));
      channel.notification((data: unknown) => list.push(["notification", data]));
      channel.listenForWhisper("typing", (data: unknown) => list.push(["whisper", data]));
      return list;
    });
    await Promise.all(channels.map(subscribed));
    await library.trigger(`private-${name}`, "App\\Events\\Paid", { id: 7 });
    await library.trigger(`private-${name}`, NOTIFICATION, { type: "InvoicePaid" });
    const both = [
      ["event", { id: 7 }],
      ["notification", { type: "InvoicePaid" }],
    ];
    await eventually(() => expect(heard).toEqual([both, both]));
    channels[0]?.whisper("typing", { name: "Ada" });
    await eventually(() => expect(heard[1]).toEqual([...both, ["whisper", { name: "Ada" }]]));
    await library.trigger(`private-${name}`, "App\\Events\\Paid", { id: 8 });
    await eventually(() => expect(heard[0]).toEqual([...both, ["event", { id: 8 }]]));
  });

  test("a presence channel tells who is here, who joins, who leaves, and who whispers", async () => {
    const name = `room.${broadcaster}`;
    const told: unknown[] = [];
    const room = openEcho(broadcaster, "ada").join(name);
    room.here((users: unknown) => told.push(["here", users]));
    room.joining((user: unknown) => told.push(["joining", user]));
    room.leaving((user: unknown) => told.push(["leaving", user]));
    room.listenForWhisper("wave", (data: unknown, metadata: unknown) => told.push(["wave", data, metadata]));
    await eventually(() => expect(told).toEqual([["here", [{ name: "ADA" }]]]));
    const bob = openEcho(broadcaster, "bob");
    const bobs = bob.join(name);
    await subscribed(bobs);
    await eventually(() => expect(told.at(-1)).toEqual(["joining", { name: "BOB" }]));
    bobs.whisper("wave", { hand: "left" });
    await eventually(() => expect(told.at(-1)).toMatchObject(["wave", { hand: "left" }, { user_id: "bob" }]));
    bob.leave(name);
    await eventually(() => expect(told.at(-1)).toEqual(["leaving", { name: "BOB" }]));
    expect(told.length).toBe(4);
    expect(await server.members(`presence-${name}`)).toMatchObject([{ id: "ada" }]);
  });

  test("an encrypted private channel hears what was sealed", async () => {
    const heard: unknown[] = [];
    const name = `letters.${broadcaster}`;
    const channel = openEcho(broadcaster, "ada").encryptedPrivate(name);
    channel.listen(".letter", (data: unknown) => heard.push(data));
    await subscribed(channel);
    await library.trigger(`private-encrypted-${name}`, "letter", { secret: "rosebud" });
    await eventually(() => expect(heard).toEqual([{ secret: "rosebud" }]));
  });

  test("leave leaves the channel with its private and presence namesakes; leaveChannel leaves one", async () => {
    const echo = openEcho(broadcaster, "ada");
    const name = `trio.${broadcaster}`;
    await Promise.all([echo.channel(name), echo.private(name), echo.join(name)].map(subscribed));
    const occupied = async () => {
      const channels = await server.channels();
      return channels.flatMap((channel) => (channel.name.endsWith(name) ? channel.name : []));
    };
    expect((await occupied()).length).toBe(3);
    echo.leaveChannel(`private-${name}`);
    await eventually(async () => expect((await occupied()).sort()).toEqual([`presence-${name}`, name]));
    echo.leave(name);
    await eventually(async () => expect(await occupied()).toEqual([]));
  });

  test("a refused subscription reaches the channel's error callback with its status", async () => {
    const errors: unknown[] = [];
    openEcho(broadcaster, "ada")
      .private("forged")
      .error((error: unknown) => errors.push(error));
    await eventually(() => expect(errors).toMatchObject([{ type: "AuthError", status: 401 }]));
  });

  test("signing in makes the user reachable by sendToUser", async () => {
    const echo = openEcho(broadcaster, `signed-${broadcaster}`);
    const heard: unknown[] = [];
    const connector = echo.connector as PusherConnector;
    connector.pusher.user.bind("note", (data: unknown) => heard.push(data));
    connector.signin();
    await eventually(() => expect(connector.pusher.user.serverToUserChannel?.subscribed).toBe(true));
    await library.sendToUser(`signed-${broadcaster}`, "note", { n: 1 });
    await eventually(() => expect(heard).toEqual([{ n: 1 }]));
  });

  test("socketId is the id that the back end excludes: toOthers works", async () => {
    const sender = openEcho(broadcaster, "ada");
    const other = openEcho(broadcaster, "bob");
    const name = `others.${broadcaster}`;
    const heard = [sender, other].map((echo) => {
      const list: unknown[] = [];
      const channel = echo.channel(name).listen(".said", (data: unknown) => list.push(data));
      return { list, ready: subscribed(channel) };
    });
    await Promise.all(heard.map(({ ready }) => ready));
    await library.trigger(name, "said", 1, { socket_id: sender.socketId() ?? "" });
    await library.trigger(name, "said", 2);
    await eventually(() => expect(heard.map(({ list }) => list)).toEqual([[2], [1, 2]]));
  });
});
