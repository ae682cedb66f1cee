/** What a native client may rely on: what comes first, and what comes before what. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, makeToken } from "../support/native-client.ts";
import { refusingEngine } from "../support/refusing-engine.ts";
import { startServer } from "../support/server.ts";

const server = await startServer(
  {},
  {
    anonymous: true,
    channels: [{ match: "*", clientPublish: "any" }],
    limits: { clientEventsPerSecond: 100_000, subscribesPerSecond: 100_000, watchlistSize: 5 },
  },
);

test("`welcome` comes first, though the client asks before it is there", async () => {
  const token = await makeToken({ sub: "ada", watchlist: ["bob"], channels: ["private-*"] });
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/?token=${token}`);
  const frames: { event: string }[] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  socket.onopen = () => {
    socket.send('{"event":"subscribe","id":1,"data":{"channel":"private-first"}}');
    socket.send('{"event":"ping","id":2}');
  };
  socket.onmessage = ({ data }) => {
    frames.push(JSON.parse(String(data)));
    if (frames.length === 4) resolve();
  };
  await done;
  socket.close();
  expect(frames.map(({ event }) => event)).toEqual(["welcome", "watchlist", "subscribed", "pong"]);
});

test("answers come in the order of the commands, though a token takes longer than a ping", async () => {
  const client = await connectNative(server.url);
  const token = await makeToken({ sub: "ada", channels: ["private-x", "presence-x"] });
  client.socket.send({ event: "authenticate", id: 1, data: { token } });
  client.socket.send({ event: "subscribe", id: 2, data: { channel: "presence-x" } });
  client.socket.send({ event: "publish", id: 3, data: { channel: "presence-x", event: "e" } });
  client.socket.send({ event: "nothing", id: 4 });
  client.socket.send({ event: "unsubscribe", id: 5, data: { channel: "presence-x" } });
  client.socket.send({ event: "publish", id: 6, data: { channel: "presence-x", event: "e" } });
  client.socket.send({ event: "ping", id: 7 });
  const answers: unknown[] = [];
  for (let n = 0; n < 7; n++) {
    const { id, event, code } = await client.next();
    answers.push([id, code ?? event]);
  }
  expect(answers).toEqual([
    [1, "authenticated"],
    [2, "subscribed"],
    [3, "published"],
    [4, "unknown_command"],
    [5, "unsubscribed"],
    [6, "not_subscribed"],
    [7, "pong"],
  ]);
});

test("a publish right behind its subscribe is not refused", async () => {
  const reader = await connectNative(server.url);
  await reader.subscribe("presence-race", reader.permission("presence-race", { user_id: "reader" }));
  for (let n = 0; n < 50; n++) {
    const writer = await connectNative(server.url);
    const permission = writer.permission("presence-race", { user_id: `w${n}` });
    writer.send("subscribe", { channel: "presence-race", ...permission });
    writer.send("publish", { channel: "presence-race", event: "at once", data: n });
    writer.send("unsubscribe", { channel: "presence-race" });
    const seen = [await reader.next(), await reader.next(), await reader.next()].map(({ event }) => event);
    expect(seen).toEqual(["member_added", "at once", "member_removed"]);
    await writer.close();
  }
});

test("`subscribed` comes before anything else of its channel, and nothing after it is missed (scenario 23)", async () => {
  const client = await connectNative(server.url);
  let number = 0;
  for (let round = 0; round < 200; round++) {
    const channel = `racing-${round}`;
    const firsts: number[] = [];
    client.send("subscribe", { channel });
    for (let n = 0; n < 5; n++) {
      firsts.push(++number);
      await server.toChannel(channel).push({ event: "n", data: number });
    }
    const subscribed = await client.next();
    expect(subscribed).toEqual({ event: "subscribed", channel });
    const last = ++number;
    await server.toChannel(channel).push({ event: "n", data: last });
    const heard: unknown[] = [];
    while (heard.at(-1) !== last) {
      const frame = await client.next();
      expect(frame.channel).toBe(channel);
      heard.push(frame.data);
    }
    // Whatever it heard is the unbroken end of what was pushed.
    expect(heard).toEqual([...firsts, last].slice(-heard.length));
    await client.ask("unsubscribe", { channel });
  }
});

test("every reader of a channel hears the same order, whoever publishes", async () => {
  const readers = [await connectNative(server.url), await connectNative(server.url), await connectNative(server.url)];
  const writers = [await connectAs(server.url, "ada"), await connectAs(server.url, "bob")];
  for (const client of [...readers, ...writers]) await client.subscribe("order");
  const each = 300;
  for (let n = 0; n < each; n++) {
    for (const writer of writers) writer.send("publish", { channel: "order", event: "n", data: n });
    void server.toChannel("order").push({ event: "n", data: n });
  }
  const orders: string[] = [];
  for (const reader of readers) {
    const heard: string[] = [];
    while (heard.length < each * 3) {
      const { user = "server", data } = await reader.next("n");
      heard.push(`${user} ${data}`);
    }
    for (const from of ["ada", "bob", "server"]) {
      const own = heard.filter((line) => line.startsWith(from));
      expect(own).toEqual(Array.from({ length: each }, (_, n) => `${from} ${n}`));
    }
    orders.push(heard.join());
  }
  expect(new Set(orders).size).toBe(1);
});

test("nobody hears itself come or go, nor what it published itself", async () => {
  const clients = [];
  for (const name of ["ada", "bob", "cyd"]) {
    const client = await connectAs(server.url, name, { channels: ["presence-*"] });
    await client.subscribe("presence-self");
    client.send("publish", { channel: "presence-self", event: "here", data: name });
    clients.push(client);
  }
  for (const client of clients) await client.ping();
  for (const client of clients) {
    const own = client.welcome.user?.id;
    const told = client.socket.frames.filter(({ event }) => event === "member_added" || event === "here");
    expect(told.filter(({ data, user }) => JSON.stringify([data, user]).includes(`"${own}"`))).toEqual([]);
    await client.ask("unsubscribe", { channel: "presence-self" });
    expect(client.socket.frames.filter(({ event }) => event === "member_removed").length).toBe(clients.indexOf(client));
  }
});

describe("a publish that names the one before it (`afterKey`)", () => {
  const startRefusing = (clientEventsPerSecond: number, isAway: () => boolean) =>
    startServer(
      { engine: refusingEngine(isAway) },
      {
        anonymous: true,
        channels: [{ match: "*", clientPublish: "any" }],
        limits: { clientEventsPerSecond },
      },
    );
  const publish = (n: number, afterKey?: string, channel = "room") => ({
    event: "publish",
    id: n,
    data: { channel, event: "e", data: n, idempotencyKey: `k${n}`, ...(afterKey !== undefined && { afterKey }) },
  });

  test("is refused with it for the moment, until that one has been sent again", async () => {
    let asked = 0;
    const server = await startRefusing(1_000, () => ++asked === 1);
    const [client, reader] = [await connectNative(server.url), await connectNative(server.url)];
    for (const channel of ["room", "other"]) await client.subscribe(channel);
    await reader.subscribe("room");
    for (const frame of [publish(1), publish(2, "k1"), publish(3, "k2"), publish(4), publish(5, "k1", "other")])
      client.socket.send(frame);
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => client.next()));
    expect(answers.map(({ id, code, event }) => [id, code ?? event])).toEqual([
      [1, "engine_unavailable"],
      [2, "engine_unavailable"],
      [3, "engine_unavailable"],
      [4, "published"],
      [5, "published"],
    ]);
    for (const frame of [publish(1), publish(2, "k1"), publish(3, "k2")]) client.socket.send(frame);
    const again = await Promise.all([1, 2, 3].map(() => client.next()));
    expect(again.map(({ id, event }) => [id, event])).toEqual([1, 2, 3].map((id) => [id, "published"]));
    const heard = await Promise.all([1, 2, 3, 4].map(() => reader.next("e")));
    expect(heard.map(({ data }) => data)).toEqual([4, 1, 2, 3]);
  });

  test("waits as long where the rate was exceeded, and goes on where the other was refused for good", async () => {
    const server = await startRefusing(5, () => false);
    const client = await connectNative(server.url);
    await client.subscribe("room");
    const answers: unknown[] = [];
    for (let n = 1; n <= 7; n++) {
      const { code, event, retryAfterMs } = await client.ask("publish", publish(n, n === 7 ? "k6" : undefined).data);
      answers.push([code ?? event, retryAfterMs !== undefined]);
    }
    expect(answers).toEqual([
      ...[1, 2, 3, 4, 5].map(() => ["published", false]),
      ["rate_limited", true],
      ["rate_limited", true],
    ]);
    const other = await connectNative(server.url);
    expect(await other.ask("publish", publish(8).data)).toMatchObject({ code: "not_subscribed" });
    await other.subscribe("room");
    expect(await other.ask("publish", publish(9, "k8").data)).toMatchObject({ event: "published" });
  });

  test("is not held up by what no client sends again: a key that is too long, a channel that it is not in", async () => {
    const server = await startRefusing(1, () => false);
    const client = await connectNative(server.url);
    await client.subscribe("room");
    const [tooLong, elsewhere] = ["k".repeat(129), "e".repeat(5_000)];
    await client.ask("publish", publish(1).data);
    for (const data of [
      { ...publish(2).data, idempotencyKey: tooLong },
      { ...publish(3).data, channel: elsewhere },
    ])
      expect(await client.ask("publish", data)).toMatchObject({ code: "rate_limited" });
    const published = async (data: object) => {
      const { event, code } = await client.ask("publish", data);
      expect([event, code]).toEqual(["published", undefined]);
    };
    await eventually(() => published(publish(4, tooLong).data), { withinMs: 5_000, everyMs: 1_100 });
  });
});
