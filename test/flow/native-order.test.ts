/** What a native client may rely on: what comes first, and what comes before what. */

import { expect, test } from "bun:test";
import { connectAs, connectNative, makeToken } from "../support/native-client.ts";
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
