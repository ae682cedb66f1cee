/** Hooks over real sockets in both protocols: what a program hears of, may refuse, and decides (A36, A44, A45, A47, S8 to S10, O12, O13, O16). */

import { describe, expect, test } from "bun:test";
import { CommandError, type Server } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";

const ROOMS = { anonymous: true, channels: [{ match: "room.*", clientPublish: "any" as const }] };

/** Everything that the server tells, one line each. */
function record(server: Server): string[] {
  const told: string[] = [];
  server.on("open", ({ id }) => told.push(`open ${id}`));
  server.on("subscribed", ({ id }, channel) => told.push(`subscribed ${id} ${channel}`));
  server.on("unsubscribed", ({ id }, channel) => told.push(`unsubscribed ${id} ${channel}`));
  server.on("close", ({ id }, { code, why }) => told.push(`close ${id} ${code} ${why ?? "by itself"}`));
  return told;
}

describe("open, subscribed, unsubscribed, close (S8, O13, O16)", () => {
  test.each(["native", "pusher"] as const)("are called in order, for a %s client", async (protocol) => {
    const server = await startServer({}, { anonymous: true });
    const told = record(server);
    const client = protocol === "native" ? await connectNative(server.url) : await connectPusher(server.url);
    const id = "id" in client ? client.id : client.socketId;
    await client.subscribe("a");
    await client.subscribe("b");
    if ("id" in client) await client.ask("unsubscribe", { channel: "a" });
    else client.unsubscribe("a");
    await client.ping();
    await client.close();
    await eventually(() => expect(told).toHaveLength(6));
    expect(told).toEqual([
      `open ${id}`,
      `subscribed ${id} a`,
      `subscribed ${id} b`,
      `unsubscribed ${id} a`,
      `unsubscribed ${id} b`,
      `close ${id} 1000 by itself`,
    ]);
  });

  test("know the user, leave out the server's own channels, and say why the server closed", async () => {
    const server = await startServer();
    const told = record(server);
    const users: unknown[] = [];
    server.on("open", ({ user }) => users.push(user?.id));
    server.on("close", ({ user }) => users.push(user?.id));
    const ada = await connectAs(server.url, "ada");
    await ada.ping();
    await server.app().terminate("ada");
    await ada.socket.closed;
    await eventually(() => expect(users).toEqual(["ada", "ada"]));
    expect(told).toEqual([`open ${ada.id}`, `close ${ada.id} 4009 terminated`]);
  });

  test("for one channel, by name or pattern, until taken off", async () => {
    const server = await startServer({}, { anonymous: true });
    const told: string[] = [];
    const off = server.on("subscribed", (_, channel) => told.push(channel), "chat.*");
    server.on("subscribed", (_, channel) => told.push(`named ${channel}`), "chat.1");
    const client = await connectNative(server.url);
    for (const channel of ["news", "chat.1", "chat.2"]) await client.subscribe(channel);
    await eventually(() => expect(told).toEqual(["chat.1", "named chat.1", "chat.2"]));
    off();
    off();
    await client.subscribe("chat.3");
    await client.ask("unsubscribe", { channel: "chat.1" });
    await client.subscribe("chat.1");
    await eventually(() => expect(told.slice(3)).toEqual(["named chat.1"]));
  });

  test("run after the welcome, and one that fails is reported and harms no client", async () => {
    const server = await startServer({}, { anonymous: true });
    const errors: string[] = [];
    server.on("error", (error, during) => errors.push(`${during}: ${String(error)}`));
    server.on("error", () => {
      throw new Error("in the error hook itself");
    });
    server.on("open", () => {
      throw new Error("open failed");
    });
    server.on("subscribed", () => Promise.reject(new Error("subscribed failed")));
    const opened: string[] = [];
    server.on("open", ({ id }) => opened.push(id));
    const client = await connectNative(server.url);
    expect(client.socket.frames[0]?.event).toBe("welcome");
    await client.subscribe("a");
    await client.ping();
    await eventually(() =>
      expect(errors).toEqual(["the hook open: Error: open failed", "the hook subscribed: Error: subscribed failed"]),
    );
    expect(opened).toEqual([client.id]);
  });
});

describe("message (A36, S9, S10, O12)", () => {
  test("gets every custom event and every client's publication, of both protocols", async () => {
    const server = await startServer({}, ROOMS);
    const heard: unknown[] = [];
    server.on("message", (connection, message) => heard.push([connection.id, message]));
    const native = await connectNative(server.url);
    const pusher = await connectPusher(server.url);
    await native.subscribe("room.1");
    await pusher.subscribe("private-x");
    expect(await native.ask("poll-vote", { option: 2 })).toMatchObject({ event: "result", data: null });
    await native.ask("publish", { channel: "room.1", event: "said", data: { text: "hi" } });
    pusher.send("client-typing", { on: true }, "private-x");
    await pusher.ping();
    expect(heard).toEqual([
      [native.id, { event: "poll-vote", data: { option: 2 } }],
      [native.id, { event: "said", data: { text: "hi" }, channel: "room.1" }],
      [pusher.socketId, { event: "client-typing", data: { on: true }, channel: "private-x" }],
    ]);
  });

  test("does not hear what is refused anyway, what the program pushes, and what the API publishes", async () => {
    const server = await startServer({}, { anonymous: true });
    const heard: unknown[] = [];
    server.on("message", (_, message) => heard.push(message));
    const client = await connectNative(server.url);
    await client.subscribe("news");
    expect((await client.ask("publish", { channel: "news", data: 1 })).code).toBe("publish_forbidden");
    expect((await client.ask("pusher:x", 1)).code).toBe("event_reserved");
    await server.toChannel("news").push({ event: "e", data: 1 });
    await trigger(server.url, APP, { name: "f", channel: "news", data: "1" });
    await client.next("f");
    expect(heard).toEqual([]);
  });

  test("in one channel only, where a channel is named (S10)", async () => {
    const server = await startServer({}, ROOMS);
    const heard: unknown[] = [];
    server.on("message.received", (_, { channel, data }) => heard.push([channel, data]), "room.1");
    const client = await connectNative(server.url);
    for (const channel of ["room.1", "room.2"]) await client.subscribe(channel);
    await client.ask("publish", { channel: "room.2", data: 2 });
    await client.ask("publish", { channel: "room.1", data: 1 });
    expect((await client.ask("custom", {})).code).toBe("unknown_command");
    expect(heard).toEqual([["room.1", 1]]);
  });

  test("refuses by throwing: the code it throws, or `internal`; no subscriber gets the message, and the connection goes on", async () => {
    const server = await startServer({}, ROOMS);
    const errors: unknown[] = [];
    server.on("error", (error) => errors.push(error));
    server.on("message", async (_, { data }) => {
      await Promise.resolve();
      if (data === "rude") throw new CommandError("publish_forbidden", "Mind your words.");
      if (data === "bug") throw new TypeError("a detail");
    });
    const after: unknown[] = [];
    server.on("message", (_, { data }) => after.push(data));
    const [ada, bob] = [await connectNative(server.url), await connectPusher(server.url)];
    await ada.subscribe("room.1");
    await bob.subscribe("room.1");
    const answers = [];
    for (const data of ["rude", "bug", "kind"]) answers.push(await ada.ask("publish", { channel: "room.1", data }));
    expect(answers).toMatchObject([
      { event: "error", code: "publish_forbidden", message: "Mind your words." },
      { event: "error", code: "internal" },
      { event: "published" },
    ]);
    expect(JSON.stringify(answers)).not.toContain("a detail");
    expect(await bob.nextIn("room.1")).toMatchObject({ data: "kind" });
    expect(after).toEqual(["kind"]);
    await eventually(() => expect(errors).toMatchObject([{ message: "a detail" }]));
    expect(await ada.ask("custom", "rude")).toMatchObject({ code: "publish_forbidden" });
  });

  test("refuses by `false`, now or later, of either protocol; whatever else it returns lets the message through (S9, S10)", async () => {
    const server = await startServer({}, { ...ROOMS, clientEvents: true });
    const errors: unknown[] = [];
    server.on("error", (error) => errors.push(error));
    server.on("message.received", (_, { data }) => data !== "rude", "room.*");
    server.on("message.received", async (_, { data }) => (data === "late" ? false : null), "room.*");
    server.on("message.received", (_, { event }) => (event === "spam" ? false : 0));
    const [ada, bob] = [await connectNative(server.url), await connectPusher(server.url)];
    await ada.subscribe("room.1");
    await bob.subscribe("room.1");
    const refusal = { code: "publish_forbidden", message: "The server's program refused this message." };
    for (const data of ["rude", "late"]) {
      expect(await ada.ask("publish", { channel: "room.1", data })).toMatchObject({ event: "error", ...refusal });
      bob.send("client-said", data, "room.1");
      expect((await bob.next("pusher:error")).data).toMatchObject({ message: refusal.message });
    }
    expect(await ada.ask("spam", {})).toMatchObject(refusal);
    expect(await ada.ask("publish", { channel: "room.1", data: "kind" })).toMatchObject({ event: "published" });
    bob.send("client-said", "kind", "room.1");
    expect(await ada.next("client-said")).toMatchObject({ data: "kind" });
    expect(await bob.nextIn("room.1")).toMatchObject({ data: "kind" });
    expect(errors).toEqual([]);
  });

  test("runs before the handler, which still gives the answer", async () => {
    const server = await startServer({}, { anonymous: true });
    const order: string[] = [];
    server.on("message", () => Bun.sleep(5).then(() => void order.push("hook")));
    server.handle("sum", (_, data) => {
      order.push("handler");
      return Number(data) + 1;
    });
    const client = await connectNative(server.url);
    expect(await client.ask("sum", 1)).toMatchObject({ event: "result", data: 2 });
    expect(order).toEqual(["hook", "handler"]);
  });
});

describe("authorize (A44, A45)", () => {
  test("is asked where there is neither a signature nor a token that names the channel", async () => {
    const server = await startServer({}, { anonymous: true });
    const asked: string[] = [];
    server.on("authorize", (connection, channel) => {
      asked.push(`${connection.user?.id ?? "nobody"} ${channel}`);
      return channel === "private-open";
    });
    const ada = await connectAs(server.url, "ada", { channels: ["private-ada"] });
    for (const channel of ["public", "private-ada", "private-open"]) await ada.subscribe(channel);
    await ada.subscribe("private-signed", ada.permission("private-signed"));
    expect((await ada.ask("subscribe", { channel: "private-closed" })).code).toBe("unauthorized");
    const wrong = await ada.ask("subscribe", { channel: "private-open2", auth: `${APP.key}:00` });
    expect(wrong.code).toBe("signature_invalid");
    const pusher = await connectPusher(server.url);
    await pusher.subscribe("private-open", { auth: "" });
    await expect(pusher.subscribe("private-closed", { auth: "" })).rejects.toThrow("pusher:subscription_error");
    expect(asked).toEqual(["ada private-open", "ada private-closed", "nobody private-open", "nobody private-closed"]);
  });

  const nothing: readonly (readonly [string, unknown])[] = [
    ["false", false],
    ["nothing", undefined],
    ["null", null],
    ["a number", 1],
    ["a text", "true"],
    ["an object without id", { info: {} }],
    ["a member whose id is none", { id: {} }],
    ["a list", [true]],
  ];
  test.each(nothing)("denies where it answers %s, at once or later", async (_, answer) => {
    const server = await startServer({}, { anonymous: true });
    server.on("authorize", () => answer as boolean, "private-now");
    server.on("authorize", () => Promise.resolve(answer as boolean), "private-later");
    const client = await connectNative(server.url);
    for (const channel of ["private-now", "private-later", "private-other"]) {
      expect((await client.ask("subscribe", { channel })).code).toBe("unauthorized");
    }
  });

  test("says who is in a presence channel, or leaves it to who is signed in", async () => {
    const server = await startServer({}, { anonymous: true });
    server.on("authorize", ({ user }) => (user ? true : { id: 7, info: { name: "Guest" } }));
    const [guest, ada] = [await connectNative(server.url), await connectAs(server.url, "ada", { info: { n: 1 } })];
    const pusher = await connectPusher(server.url);
    await guest.subscribe("presence-a");
    expect((await ada.subscribe("presence-a")).data).toEqual({
      members: [
        { id: "7", info: { name: "Guest" } },
        { id: "ada", info: { n: 1 } },
      ],
    });
    expect(await pusher.subscribe("presence-a", { auth: "" })).toMatchObject({ presence: { ids: ["7", "ada"] } });
  });

  test("holds members to the limits, and asks for one where there is no user", async () => {
    const server = await startServer({}, { anonymous: true });
    server.on("authorize", () => ({ id: "x".repeat(200) }), "presence-long");
    server.on("authorize", () => ({ id: "x", info: "x".repeat(2000) }), "presence-large");
    server.on("authorize", () => true, "presence-nobody");
    const client = await connectNative(server.url);
    const codes = [];
    for (const name of ["long", "large", "nobody"]) {
      codes.push((await client.ask("subscribe", { channel: `presence-${name}` })).code);
    }
    expect(codes).toEqual(["user_invalid", "data_too_large", "user_invalid"]);
  });

  test("the first listener for the channel decides; one that fails denies", async () => {
    const server = await startServer({}, { anonymous: true });
    server.on("authorize", () => false, "private-a");
    server.on("authorize", () => Promise.reject(new Error("the database is away")), "private-b");
    server.on("authorize", () => true);
    const client = await connectNative(server.url);
    expect((await client.ask("subscribe", { channel: "private-a" })).code).toBe("unauthorized");
    expect((await client.ask("subscribe", { channel: "private-b" })).code).toBe("internal");
    await client.subscribe("private-c");
  });

  test("lets no more in than the channel has room for, however many wait for its answer", async () => {
    const rules = [{ match: "private-small", maxSubscribers: 2 }];
    const server = await startServer({}, { anonymous: true, channels: rules });
    const gate = Promise.withResolvers<boolean>();
    let asked = 0;
    server.on("authorize", () => {
      asked++;
      return gate.promise;
    });
    const clients = await Promise.all([1, 2, 3, 4].map(() => connectNative(server.url)));
    const answers = clients.map((client) => client.ask("subscribe", { channel: "private-small" }));
    await eventually(() => expect(asked).toBe(4));
    gate.resolve(true);
    const told = (await Promise.all(answers)).map(({ event, code }) => code ?? event).sort();
    expect(told).toEqual(["channel_full", "channel_full", "subscribed", "subscribed"]);
    expect(await server.channel("private-small").info()).toMatchObject({ subscribers: 2 });
  });

  test("a client that goes while its permission is asked for leaves nothing behind", async () => {
    const server = await startServer({}, { anonymous: true });
    const gate = Promise.withResolvers<boolean>();
    let asked = 0;
    server.on("authorize", () => {
      asked++;
      return gate.promise;
    });
    const client = await connectNative(server.url);
    client.send("subscribe", { channel: "private-a" });
    await eventually(() => expect(asked).toBe(1));
    await client.close();
    await eventually(() => expect(server.connections.count()).toBe(0));
    gate.resolve(true);
    await gate.promise;
    const other = await connectNative(server.url);
    await other.ping();
    expect(await server.channels()).toEqual([]);
  });
});

describe("workerStart and workerStop (A44, A47)", () => {
  test("are called once for each start and stop, and a timer pushes in between", async () => {
    const server = await startServer({}, { anonymous: true });
    await server.stop();
    const told: string[] = [];
    let timer: ReturnType<typeof setInterval> | undefined;
    server.on("workerStart", () => {
      told.push("start");
      timer = setInterval(() => void server.toChannel("dashboard").push({ metric: "cpu", value: 42 }), 10);
    });
    server.on("workerStop", () => {
      told.push("stop");
      clearInterval(timer);
    });
    await Promise.all([server.start(), server.start()]);
    const client = await connectNative(server.url);
    await client.subscribe("dashboard");
    const frame = await client.next(({ metric }) => metric === "cpu");
    expect(frame).toEqual({ event: "(no event)", metric: "cpu", value: 42, channel: "dashboard" });
    await server.stop();
    await server.start();
    await server.stop();
    expect(told).toEqual(["start", "stop", "start", "stop"]);
  });
});

test("what is waited for need not be the language's own promise: some queries run only then", async () => {
  const server = await startServer({}, { anonymous: true });
  const ran: string[] = [];
  const query = (name: string, result: unknown) => () => ({
    // biome-ignore lint/suspicious/noThenProperty: that is what such queries are
    then: (resolve: (value: unknown) => void) => {
      ran.push(name);
      resolve(result);
    },
  });
  server.on("message", query("message", undefined));
  server.on("authorize", query("authorize", true) as () => Promise<boolean>);
  server.websocket("/own", { open: query("open", 0), message: query("own message", 0), close: query("close", 0) });
  server.handle("vote", () => ran.push("vote"));
  const client = await connectNative(server.url);
  await client.ask("vote", {});
  await client.subscribe("private-chat");
  const own = await connect(socketUrl(server.url, "/own"));
  own.send("hello");
  await own.close();
  await eventually(() => expect(ran).toEqual(["message", "vote", "authorize", "open", "own message", "close"]));
});

test("a hook that is none, or a channel where there is none, throws", async () => {
  const server = await startServer();
  const on = server.on.bind(server) as (...args: unknown[]) => unknown;
  expect(() => on("opened", () => {})).toThrow('There is no hook "opened"');
  expect(() => on("open", () => {}, "chat")).toThrow("The hook open is not about a channel.");
  expect(() => on("toString", () => {})).toThrow("There is no hook");
});
