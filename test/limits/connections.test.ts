/** How many connections there may be, and how long one may stay without saying who it is. */

import { describe, expect, test } from "bun:test";
import { SERVER, startBareProcess } from "../faults/process.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, dialNative } from "../support/native-client.ts";
import { connectPusher, dialPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import type { TestSocket } from "../support/socket.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret", anonymous: true };

async function refusal(socket: TestSocket): Promise<{ frame: object; code: number; reason: string }> {
  const frame = await socket.next();
  return { frame, ...(await socket.closed) };
}

test("an app has as many connections as configured; one more is told 4004 and closed", async () => {
  const { url } = await startServer({ apps: [{ ...APP, anonymous: true, limits: { connections: 2 } }, OTHER] });
  const [first] = [await connectPusher(url), await connectNative(url)];
  const message = "The app has 2 connections, which is as many as it may (connections).";
  expect(await refusal(await dialPusher(url))).toEqual({
    frame: { event: "pusher:error", data: { code: 4004, message } },
    code: 4004,
    reason: message,
  });
  expect(await refusal(await dialNative(url))).toEqual({
    frame: { event: "closing", code: "quota_exceeded", message, reconnect: "never" },
    code: 4004,
    reason: message,
  });
  await first.ping();
  await (await connectNative(url, { app: OTHER.key })).ping();
  await first.close();
  await eventually(async () => (await connectPusher(url)).ping());
});

test("a process has as many connections as configured, over all apps; one more is told 4100 and closed (A15, S37)", async () => {
  const server = await startServer({ limits: { connections: 2 }, apps: [{ ...APP, anonymous: true }, OTHER] });
  const { url } = server;
  expect(server.maxConnections).toBe(2);
  const [first] = [await connectPusher(url), await connectNative(url, { app: OTHER.key })];
  const message = "This server has 2 connections, which is as many as it may (limits.connections).";
  expect(await refusal(await dialPusher(url))).toEqual({
    frame: { event: "pusher:error", data: { code: 4100, message } },
    code: 4100,
    reason: message,
  });
  expect(await refusal(await dialNative(url))).toEqual({
    frame: { event: "closing", code: "over_capacity", message, reconnect: "later" },
    code: 4100,
    reason: message,
  });
  expect((await fetch(`${url}/health`)).status).toBe(200);
  await first.close();
  await eventually(async () => (await connectPusher(url)).ping());
});

test("where the system allows less than is configured, its limit is named", async () => {
  const program = ["/bin/sh", "-c", 'ulimit -n 66; exec "$0" "$@"', ...SERVER] as const;
  const { url } = await startBareProcess({ program, config: { apps: [{ ...APP, anonymous: true }] } });
  const clients = [await connectNative(url), await connectNative(url)];
  const message = "This server has 2 connections, which is as many as it may (the system's limit of open files).";
  expect((await refusal(await dialNative(url))).frame).toMatchObject({ code: "over_capacity", message });
  await Promise.all(clients.map((client) => client.ping()));
});

describe("where authentication is required", async () => {
  const server = await startServer(
    {},
    { anonymous: true, requireAuthentication: true, limits: { unauthenticatedTimeoutS: 0.5 } },
  );
  const { url } = server;
  const message = "Not signed in nor in any private channel after 0.5 seconds (unauthenticatedTimeoutS).";

  test("whoever does not say who it is in time is closed with 4009, and whoever does stays", async () => {
    const [pusher, native] = [await dialPusher(url), await dialNative(url)];
    const [signedIn, inPrivate, inPresence] = [
      await connectPusher(url),
      await connectPusher(url),
      await connectNative(url),
    ];
    const withToken = await connectAs(url, "42");
    await signedIn.signin({ id: "42" });
    await inPrivate.subscribe("private-x");
    await inPresence.subscribe("presence-x", inPresence.permission("presence-x", { user_id: "1" }));

    await pusher.next("pusher:connection_established");
    expect(await refusal(pusher)).toMatchObject({ frame: { data: { code: 4009, message } }, code: 4009 });
    await native.next("welcome");
    expect(await refusal(native)).toMatchObject({ frame: { code: "authentication_timeout", message }, code: 4009 });
    for (const client of [signedIn, inPrivate, inPresence, withToken]) await client.ping();
  });

  test("a public channel and constant chatter prove nothing", async () => {
    const client = await connectPusher(url);
    await client.subscribe("public");
    client.send("pusher:signin", { auth: `${APP.key}:no`, user_data: '{"id":"1"}' });
    const chatter = setInterval(() => client.send("pusher:ping", {}), 50);
    const { code } = await client.socket.closed.finally(() => clearInterval(chatter));
    expect(code).toBe(4009);
  });
});

test("where it is not required, nobody is closed for being nobody", async () => {
  const { url } = await startServer({}, { limits: { unauthenticatedTimeoutS: 0.1 } });
  const client = await connectPusher(url);
  // Longer than two of the server's looks at its connections.
  await Bun.sleep(2_200);
  await client.ping();
});
