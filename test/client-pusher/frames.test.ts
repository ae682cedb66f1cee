/** `recover` frame by frame, against a server that does what a real one does rarely, or that knows nothing of recovery. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { PositionStore } from "../../packages/client/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { eventText, type FakeConnection, startFakeServer } from "./fake-server.ts";
import { connect, dataOf, freshPusher, marksOf, recoveringPusher } from "./pusher-js.ts";

setDefaultTimeout(30_000);

/** That of a page before. */
const STORE: PositionStore = { get: () => ({ epoch: "e", offset: 1 }), set() {}, delete() {} };
const QUICK = { spreadMs: 0, retry: { minMs: 10, maxMs: 50 } };

function subscribed(connection: FakeConnection, channel: string | undefined, more: object = {}): void {
  connection.send("pusher_internal:subscription_succeeded", { channel, data: {}, ...more });
}

test("a server that knows no recovery gets the frames that it always got, and the page hears what it always heard", async () => {
  const old = startFakeServer({ isOld: true });
  const frames = await Promise.all(
    [freshPusher(), recoveringPusher({ ...QUICK, positions: STORE })].map(async (Class) => {
      const { pusher, listen } = connect(Class, old.port);
      const { heard, channel } = listen("a");
      await eventually(() => expect(channel.subscribed).toBe(true));
      const id = pusher.connection.socket_id;
      const connection = old.connections.find((it) => it.id === id);
      connection?.send("number", { channel: "a", data: 1 });
      await eventually(() => expect(dataOf(heard)).toEqual([1]));
      connection?.close(4200);
      await eventually(() => expect(pusher.connection.socket_id).not.toBe(id));
      await eventually(() => expect(channel.subscribed).toBe(true));
      const next = old.connections.find((it) => it.id === pusher.connection.socket_id);
      expect(marksOf(heard)).toEqual([]);
      return [connection?.frames, next?.frames];
    }),
  );
  const subscription = { event: "pusher:subscribe", data: { auth: "", channel: "a" } };
  expect(frames).toEqual(Array(2).fill([[subscription], [subscription]]));
  expect(new Set(old.connections.map(({ url }) => url.pathname))).toEqual(new Set([`/app/${keyIn(old.connections)}`]));
});

function keyIn(connections: readonly FakeConnection[]): string | undefined {
  return connections[0]?.url.pathname.split("/").at(-1);
}

test("a prefix of the path is kept", async () => {
  const server = startFakeServer();
  connect(recoveringPusher(), server.port, { wsPath: "/ws" });
  await eventually(() => expect(server.connections.length).toBe(1));
  expect(server.connections[0]?.url.pathname).toStartWith("/ws/app/");
  expect(server.connections[0]?.url.search).toEndWith("&recover=1");
});

test("an event that comes twice is heard once, and one of a new epoch is heard", async () => {
  const server = startFakeServer({
    onSubscribe: (it, { data }) => subscribed(it, data.channel, { position: { epoch: "e", offset: 0 } }),
  });
  const { heard, channel } = connect(recoveringPusher(), server.port).listen("a");
  await eventually(() => expect(channel.subscribed).toBe(true));
  const [connection] = server.connections;
  for (const offset of [1, 1, 2, 1, 4]) connection?.sendText(eventText("a", offset, { epoch: "e", offset }));
  connection?.sendText(eventText("a", "new", { epoch: "f", offset: 1 }));
  await eventually(() => expect(dataOf(heard)).toEqual([1, 2, 4, "new"]));
});

test("data that looks like a position is data", async () => {
  const server = startFakeServer({
    onSubscribe: (it, { data }) => subscribed(it, data.channel, { position: { epoch: "e", offset: 5 } }),
  });
  const { heard, channel } = connect(recoveringPusher(QUICK), server.port).listen("a");
  await eventually(() => expect(channel.subscribed).toBe(true));
  const trick = ',"position":{"epoch":"e","offset":1}}';
  const object = { x: 1, position: { epoch: "e", offset: 1 } };
  server.connections[0]?.send("number", { channel: "a", data: trick });
  server.connections[0]?.sendText(JSON.stringify({ event: "number", channel: "a", data: object }));
  await eventually(() => expect(dataOf(heard)).toEqual([trick, object]));
  server.connections[0]?.close(4200);
  await eventually(() => expect(server.connections[1]?.frames.at(-1)?.data).toMatchObject({ position: { offset: 5 } }));
});

test("the last eight earlier ids go with a position, and only with one", async () => {
  const server = startFakeServer({
    onSubscribe: (it, { data }) => {
      const isKept = data.channel === "kept";
      subscribed(it, data.channel, isKept ? { position: { epoch: "e", offset: 3 } } : {});
    },
  });
  const client = connect(recoveringPusher(QUICK), server.port);
  const channels = ["kept", "other"].map((name) => client.listen(name).channel);
  for (let at = 0; at < 10; at++) {
    await eventually(() => expect(server.connections.length).toBe(at + 1));
    await eventually(() => expect(channels.map((it) => it.subscribed)).toEqual([true, true]));
    server.connections[at]?.close(4200);
  }
  await eventually(() => expect(server.connections[10]?.frames.length).toBe(2));
  const ids = server.connections.slice(2, 10).map(({ id }) => id);
  expect(server.connections[10]?.frames.map(({ data }) => data)).toEqual([
    { auth: "", channel: "kept", position: { epoch: "e", offset: 3 }, previous_socket_ids: ids },
    { auth: "", channel: "other" },
  ]);
  expect(server.connections[0]?.frames[0]?.data).toEqual({ auth: "", channel: "kept" });
});

test("a gap that the server tells of reaches the channel, but not one that was left", async () => {
  const server = startFakeServer();
  const gaps: unknown[] = [];
  const client = connect(recoveringPusher({ onGap: (channel, reason) => gaps.push([channel, reason]) }), server.port);
  const { heard, channel } = client.listen("a");
  await eventually(() => expect(channel.subscribed).toBe(true));
  for (const name of ["b", "a"]) server.connections[0]?.send("pusher_internal:gap", { channel: name, data: {} });
  await eventually(() => expect(heard).toEqual([["fanfare:gap", { reason: "server" }]]));
  expect(gaps).toEqual([["a", "server"]]);
});

test("frames of a channel that was left do not bring its position back", async () => {
  const server = startFakeServer({
    onSubscribe: (it, { data }) => subscribed(it, data.channel, { position: { epoch: "e", offset: 1 } }),
  });
  const client = connect(recoveringPusher(QUICK), server.port);
  const { channel } = client.listen("a");
  const { heard } = client.listen("b");
  await eventually(() => expect(channel.subscribed).toBe(true));
  client.pusher.unsubscribe("a");
  const [connection] = server.connections;
  connection?.sendText(eventText("a", "late", { epoch: "e", offset: 2 }));
  connection?.sendText(eventText("b", "mark", { epoch: "e", offset: 2 }));
  await eventually(() => expect(dataOf(heard)).toEqual(["mark"]));
  client.pusher.subscribe("a");
  await eventually(() =>
    expect(connection?.frames.at(-1)).toEqual({ event: "pusher:subscribe", data: { auth: "", channel: "a" } }),
  );
});

test.each([429, 503])(
  "a subscription that is refused with %d is asked for again, and the page hears of it when it is there",
  async (status) => {
    let refusals = 3;
    const server = startFakeServer({
      onSubscribe: (it, { data }) => {
        if (refusals-- <= 0) return subscribed(it, data.channel);
        const error = { type: "AuthError", error: "Later.", status };
        it.send("pusher:subscription_error", { channel: data.channel, data: error });
      },
    });
    const errors: unknown[] = [];
    const { channel } = connect(recoveringPusher(QUICK), server.port).listen("a");
    channel.bind("pusher:subscription_error", (error: unknown) => errors.push(error));
    await eventually(() => expect(channel.subscribed).toBe(true));
    expect(errors).toEqual([]);
  },
);

test("a subscription that is refused for good is refused", async () => {
  const error = { type: "AuthError", error: "No.", status: 401 };
  const server = startFakeServer({
    onSubscribe: (it, { data }) => it.send("pusher:subscription_error", { channel: data.channel, data: error }),
  });
  const errors: unknown[] = [];
  const { channel } = connect(recoveringPusher(QUICK), server.port).listen("a");
  channel.bind("pusher:subscription_error", (it: unknown) => errors.push(it));
  await eventually(() => expect(errors).toEqual([error]));
  expect(server.connections[0]?.frames.length).toBe(1);
});

test.each([
  ["closes before its first frame", (it: FakeConnection) => it.close(1001)],
  ["begins with something else", (it: FakeConnection) => it.sendText("<html>")],
  [
    "greets without an activity timeout",
    (it: FakeConnection) => it.send("pusher:connection_established", { data: {} }),
  ],
])("a server that %s is dialed again, and pusher-js hears nothing of it", async (_what, fail) => {
  const server = startFakeServer({
    onOpen: (it, greet) => {
      if (server.connections.length < 4) fail(it);
      else greet();
    },
  });
  const { pusher, states } = connect(recoveringPusher(QUICK), server.port);
  const errors: unknown[] = [];
  pusher.connection.bind("error", (error: unknown) => errors.push(error));
  await eventually(() => expect(states.at(-1)).toBe("connected"));
  expect([states, errors]).toEqual([["connected"], []]);
});

test("a server that takes a connection and says nothing is dialed again after 10 s", async () => {
  const server = startFakeServer({
    onOpen: (_it, greet) => {
      if (server.connections.length > 1) greet();
    },
  });
  const { states } = connect(recoveringPusher(QUICK), server.port);
  await eventually(() => expect(states.at(-1)).toBe("connected"), { withinMs: 30_000 });
  expect([server.connections.length, states.includes("failed")]).toEqual([2, false]);
}, 60_000);

test("a refusal for good ends as it does in pusher-js, whether it comes as a frame or as a close alone", async () => {
  const server = startFakeServer({
    onOpen: (it) => {
      if (server.connections.length === 1) it.sendText('{"event":"pusher:error","data":{"code":4001,"message":"No."}}');
      it.close(4001, "No.");
    },
  });
  const Class = recoveringPusher(QUICK);
  for (let at = 0; at < 2; at++) {
    const { states } = connect(Class, server.port);
    await eventually(() => expect(states).toEqual(["disconnected"]));
  }
  expect(server.connections.length).toBe(2);
});

test("a server that is full is asked again later and later", async () => {
  const times: number[] = [];
  const server = startFakeServer({
    onOpen: (it, greet) => {
      times.push(performance.now());
      if (times.length > 2) return greet();
      it.sendText('{"event":"pusher:error","data":{"code":4100,"message":"Full."}}');
      it.close(4100);
    },
  });
  const { states } = connect(recoveringPusher({ retry: { minMs: 400, maxMs: 8_000 } }), server.port);
  await eventually(() => expect(states.at(-1)).toBe("connected"));
  const [first = 0, second = 0, third = 0] = times;
  // pusher-js waits a second; to that come 200 to 600 ms, and then 400 to 1 200.
  expect(second - first).toBeGreaterThan(1_150);
  expect(third - second).toBeGreaterThan(1_350);
});

test("a server that says when to come back is asked then", async () => {
  const server = startFakeServer();
  const { states } = connect(recoveringPusher({ spreadMs: 60_000 }), server.port);
  await eventually(() => expect(states.at(-1)).toBe("connected"));
  const startedAt = performance.now();
  const [connection] = server.connections;
  connection?.sendText('{"event":"pusher:error","data":{"code":4200,"message":"Bye.","after_ms":300}}');
  connection?.close(4200);
  await eventually(() => expect(server.connections.length).toBe(2));
  expect(performance.now() - startedAt).toBeWithin(290, 10_000);
});
