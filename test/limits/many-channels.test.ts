/** Pages with thousands of channels, which subscribe to all of them at once and never again: each is let in, at the server's pace. */

import { describe, expect, test } from "bun:test";
import Pusher from "pusher-js";
import { startBareProcess } from "../faults/process.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { channelAuth, connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const MANY = 5_000;
const EVENTS = 10_000;
/** It takes about one; the machine may be busy. */
const PATIENCE = { withinMs: 40_000, everyMs: 50 };

/** With the limits as they are by default. */
const server = await startBareProcess({ config: { apps: [{ ...APP, anonymous: true }] } });
const names = (prefix: string) => Array.from({ length: MANY }, (_, n) => `${prefix}room-${n}`);

describe.each(["", "private-"])("pusher-js with thousands of %schannels", (prefix) => {
  test("is in all of them, and again after its connection was cut", async () => {
    const pusher = new Pusher(APP.key, {
      cluster: "",
      wsHost: "127.0.0.1",
      wsPort: Number(new URL(server.url).port),
      forceTLS: false,
      enabledTransports: ["ws"],
      channelAuthorization: {
        transport: "ajax",
        endpoint: "",
        customHandler: ({ channelName, socketId }, callback) =>
          queueMicrotask(() => callback(null, { auth: channelAuth(APP, socketId, channelName) })),
      },
    });
    atEnd(() => pusher.disconnect());
    const errors: unknown[] = [];
    pusher.connection.bind("error", (error: unknown) => errors.push(error));
    pusher.bind_global((event: string, data: unknown) => {
      if (event === "pusher:subscription_error") errors.push(data);
    });
    const channels = names(prefix).map((name) => pusher.subscribe(name));
    const subscribed = () => channels.filter((channel) => channel.subscribed).length;
    await eventually(() => expect([subscribed(), errors]).toEqual([MANY, []]), PATIENCE);

    for (const channel of channels) channel.subscribed = false;
    const before = pusher.connection.socket_id;
    pusher.disconnect();
    pusher.connect();
    await eventually(() => expect([subscribed(), errors]).toEqual([MANY, []]), PATIENCE);
    expect(pusher.connection.socket_id).not.toBe(before);
  }, 120_000);
});

test("a native client is in thousands of channels, each answered in order", async () => {
  const client = await connectNative(server.url);
  const wanted = names("native-");
  for (const channel of wanted) client.send("subscribe", { channel });
  for (const channel of wanted) expect((await client.next("subscribed", 40_000)).channel).toBe(channel);
}, 60_000);

test.each([
  ["Pusher", connectPusher],
  ["native", connectNative],
] as const)(
  "thousands of client events in one go over the %s protocol all arrive, in order",
  async (_, connect) => {
    const { url } = await startServer({}, { anonymous: true, limits: { clientEventsPerSecond: 1_000_000 } });
    const sender = await connect(url);
    const reader = await connectPusher(url);
    await reader.subscribe("private-a");
    await sender.subscribe("private-a", "permission" in sender ? sender.permission("private-a") : {});
    for (let n = 0; n < EVENTS; n++) {
      if ("permission" in sender) sender.send("publish", { channel: "private-a", event: "client-x", data: n });
      else sender.send("client-x", n, "private-a");
    }
    for (let n = 0; n < EVENTS; n++) expect((await reader.nextIn("private-a", 40_000)).data).toBe(String(n));
    await sender.ping();
  },
  60_000,
);
