/** Unchanged pusher-js with `recover`, against the real server behind a line that can be cut: what was missed arrives, once and in order. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type Pusher from "pusher-js";
import { recover } from "../../packages/client/src/pusher/index.ts";
import { startBackend } from "../conformance/backend.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { type Client, connect, dataOf, freshPusher, marksOf, recoveringPusher, VERSIONS } from "./pusher-js.ts";

setDefaultTimeout(60_000);

const HISTORY = {
  channels: [
    { match: "short-*", history: { size: 3 } },
    { match: "*", history: { size: 1_000 } },
  ],
};
const server = await startServer({}, HISTORY);
const backend = startBackend(server);
const { library } = backend;
const authorization = {
  channelAuthorization: { transport: "ajax" as const, endpoint: `${backend.url}/pusher/auth?user=ada` },
};

async function publish(channel: string, ...data: readonly unknown[]): Promise<void> {
  for (const it of data) await server.toChannel(channel).push({ event: "number", data: it });
}

/** Resolves with what the channel heard from its first moment on. */
async function subscribe(client: Client, name: string) {
  const listening = client.listen(name);
  await eventually(() => expect([name, listening.channel.subscribed]).toEqual([name, true]));
  return listening;
}

test.each(VERSIONS)("%s hears what was published while its line was cut, in order", async (version) => {
  const proxy = await startProxy(server.port);
  const channel = `orders-${version}`;
  const plain = await subscribe(connect(freshPusher(version), proxy.port), channel);
  const { heard } = await subscribe(connect(recoveringPusher({}, version), proxy.port), channel);
  await publish(channel, 1, 2);
  await eventually(() =>
    expect([dataOf(heard), dataOf(plain.heard)]).toEqual([
      [1, 2],
      [1, 2],
    ]),
  );
  proxy.cut();
  await publish(channel, 3, 4, 5);
  proxy.mend();
  await eventually(() => expect(dataOf(heard)).toEqual([1, 2, 3, 4, 5]));
  expect(marksOf(heard)).toEqual(["fanfare:recovered"]);
  // What recovery is for: without it, the same line costs three events.
  await eventually(() => expect(plain.channel.subscribed).toBe(true));
  await publish(channel, 6);
  await eventually(() => expect(dataOf(plain.heard)).toEqual([1, 2, 6]));
});

test("private, presence, cache and encrypted channels recover, too", async () => {
  const proxy = await startProxy(server.port);
  const client = connect(recoveringPusher(), proxy.port, authorization);
  const names = ["private-a", "presence-a", "private-encrypted-a", "cache-a", "private-encrypted-cache-a"];
  const channels = await Promise.all(names.map((name) => subscribe(client, name)));
  for (const name of names) await library.trigger(name, "number", { of: name, is: 1 });
  const both = names.map((of) => [1, 2].map((is) => ({ of, is })));
  await eventually(() => expect(channels.map(({ heard }) => dataOf(heard))).toEqual(both.map((it) => it.slice(0, 1))));
  proxy.cut();
  for (const name of names) await library.trigger(name, "number", { of: name, is: 2 });
  proxy.mend();
  await eventually(() => expect(channels.map(({ heard }) => dataOf(heard))).toEqual(both));
});

test("two instances in one page have positions of their own: the one that was away loses nothing", async () => {
  const proxy = await startProxy(server.port);
  const Class = recoveringPusher();
  const near = await subscribe(connect(Class, server.port), "two");
  const far = await subscribe(connect(Class, proxy.port), "two");
  proxy.cut();
  await publish("two", 1, 2);
  await eventually(() => expect(dataOf(near.heard)).toEqual([1, 2]));
  proxy.mend();
  await eventually(() => expect(dataOf(far.heard)).toEqual([1, 2]));
  await publish("two", 3);
  await eventually(() =>
    expect([dataOf(near.heard), dataOf(far.heard)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]),
  );
});

test("a channel that was left while offline begins anew when it is joined again", async () => {
  const proxy = await startProxy(server.port);
  const client = connect(recoveringPusher(), proxy.port);
  const witness = await subscribe(client, "witness");
  const { heard: before } = await subscribe(client, "left");
  await publish("left", 1);
  await eventually(() => expect(dataOf(before)).toEqual([1]));
  proxy.cut();
  await eventually(() => expect(client.pusher.connection.state).toBe("connecting"));
  client.pusher.unsubscribe("left");
  await publish("left", 2);
  await publish("witness", "w");
  proxy.mend();
  await eventually(() => expect(dataOf(witness.heard)).toEqual(["w"]));
  const { heard } = await subscribe(client, "left");
  await publish("left", 3);
  await eventually(() => expect(heard).toEqual([["number", 3]]));
});

test("a back end's toOthers of this page is not heard after a cut, as a client's own event is not; others hear both", async () => {
  const proxy = await startProxy(server.port);
  const Class = recoveringPusher();
  const own = connect(Class, proxy.port, authorization);
  const name = "private-others";
  const { heard, channel } = await subscribe(own, name);
  const other = await subscribe(connect(Class, server.port, authorization), name);
  const { socket_id } = own.pusher.connection;
  channel.trigger("client-said", "mine");
  await eventually(() => expect(dataOf(other.heard)).toEqual(["mine"]));
  proxy.cut();
  await library.trigger(name, "number", "of this page", { socket_id });
  await library.trigger(name, "number", "of everybody");
  proxy.mend();
  await eventually(() => expect(dataOf(heard)).toEqual(["of everybody"]));
  expect(marksOf(heard)).toEqual(["fanfare:recovered"]);
  expect(dataOf(other.heard)).toEqual(["mine", "of this page", "of everybody"]);
});

test("an event excluded for a connection three cuts ago stays unheard", async () => {
  const proxy = await startProxy(server.port);
  const client = connect(recoveringPusher(), proxy.port);
  const { heard } = await subscribe(client, "ids");
  const { socket_id } = client.pusher.connection;
  for (const it of [1, 2, 3]) {
    proxy.cut();
    if (it === 3) await library.trigger("ids", "number", "of this page", { socket_id });
    await publish("ids", it);
    proxy.mend();
    await eventually(() => expect(dataOf(heard).at(-1)).toBe(it));
  }
  expect(dataOf(heard)).toEqual([1, 2, 3]);
});

test("where more was missed than is kept, the channel and onGap are told, and events go on", async () => {
  const gaps: [string, string, Pusher][] = [];
  const proxy = await startProxy(server.port);
  const client = connect(recoveringPusher({ onGap: (...gap) => gaps.push(gap) }), proxy.port);
  const { heard } = await subscribe(client, "short-one");
  proxy.cut();
  await publish("short-one", 1, 2, 3, 4);
  proxy.mend();
  await eventually(() => expect(heard).toEqual([["fanfare:gap", { reason: "unrecoverable" }]]));
  expect(gaps).toEqual([["short-one", "unrecoverable", client.pusher]]);
  await publish("short-one", 5);
  await eventually(() => expect(dataOf(heard)).toEqual([5]));
});

test("where another server took over that knows nothing, the channel is told", async () => {
  const proxy = await startProxy(server.port);
  const next = await startServer({}, HISTORY);
  const { heard } = await subscribe(connect(recoveringPusher(), proxy.port), "moved");
  await publish("moved", 1);
  await eventually(() => expect(dataOf(heard)).toEqual([1]));
  proxy.lead(next.port);
  await eventually(() => expect(marksOf(heard)).toEqual(["fanfare:gap"]));
  await next.toChannel("moved").push({ event: "number", data: 2 });
  await eventually(() => expect(dataOf(heard)).toEqual([1, 2]));
});

test("a server that was unreachable is found again without pusher-js's wait of 15 s", async () => {
  const proxy = await startProxy(server.port);
  const client = connect(recoveringPusher({ retry: { minMs: 50, maxMs: 200 } }), proxy.port);
  const { heard } = await subscribe(client, "away");
  proxy.cut();
  await publish("away", 1);
  // Past the first attempt, after which pusher-js alone would wait.
  await eventually(() => expect(proxy.refused).toBeGreaterThan(3));
  proxy.mend();
  await eventually(() => expect(dataOf(heard)).toEqual([1]), { withinMs: 5_000 });
});

test("reconnects are spread over a second; a first connection is not", async () => {
  const proxy = await startProxy(server.port);
  const Class = recoveringPusher();
  const startedAt = performance.now();
  const clients = Array.from({ length: 40 }, () => connect(Class, proxy.port));
  const times: number[] = [];
  for (const { pusher } of clients) pusher.connection.bind("connected", () => times.push(performance.now()));
  await eventually(() => expect(times.length).toBe(40));
  const first = Math.max(...times) - startedAt;
  times.length = 0;
  proxy.cut();
  proxy.mend();
  await eventually(() => expect(times.length).toBe(40));
  const spread = Math.max(...times) - Math.min(...times);
  expect(spread).toBeGreaterThan(500);
  expect(first).toBeLessThan(spread + 500);
});

test("a second call does no harm, and changes the options", async () => {
  const gaps: string[] = [];
  const proxy = await startProxy(server.port);
  const Class = freshPusher();
  recover(Class, { spreadMs: 0 });
  const { createWebSocket } = Class.Runtime;
  recover(Class, { onGap: (channel) => gaps.push(channel) });
  expect(Class.Runtime.createWebSocket).toBe(createWebSocket);
  await subscribe(connect(Class, proxy.port), "short-two");
  proxy.cut();
  await publish("short-two", 1, 2, 3, 4);
  proxy.mend();
  await eventually(() => expect(gaps).toEqual(["short-two"]));
});

test("a listener that throws costs the others nothing, and does not get the event again", async () => {
  const proxy = await startProxy(server.port);
  const client = connect(recoveringPusher(), proxy.port);
  const { channel, heard } = await subscribe(client, "throws");
  const calls: unknown[] = [];
  const thrown: unknown[] = [];
  const onError = (error: unknown) => thrown.push(error);
  process.on("uncaughtException", onError);
  try {
    channel.bind("number", (data: unknown) => {
      calls.push(data);
      if (data === 1) throw new Error("of the listener");
    });
    await publish("throws", 1);
    await eventually(() => expect(calls).toEqual([1]));
    proxy.cut();
    await publish("throws", 2);
    proxy.mend();
    await eventually(() => expect(calls).toEqual([1, 2]));
    expect(dataOf(heard)).toEqual([1, 2]);
  } finally {
    process.off("uncaughtException", onError);
  }
});

test("without a server of one's own HTTP is as pusher-js has it; with one, it does not fall back to pusher.com", async () => {
  const only = { enabledTransports: ["xhr_streaming", "xhr_polling"] as ["xhr_streaming", "xhr_polling"] };
  const Class = recoveringPusher();
  expect(connect(Class, server.port, only).pusher.connection.state).toBe("failed");
  expect(connect(Class, server.port, { ...only, httpHost: "127.0.0.1", httpPort: 9 }).pusher.connection.state).toBe(
    "connecting",
  );
});
