/** What else a native client asks, over real sockets: publish, authenticate, ping, custom events (A30, A32, A36). */

import { describe, expect, test } from "bun:test";
import { CommandError, Disconnect } from "../../packages/server/src/index.ts";
import { connectAs, connectNative, makeToken } from "../support/native-client.ts";
import { startServer } from "../support/server.ts";

describe("publishing", async () => {
  const server = await startServer(
    {},
    {
      anonymous: true,
      limits: { clientEventsPerSecond: 1_000 },
      channels: [
        { match: "wall.*", clientPublish: "any" },
        { match: "private-quiet", clientPublish: "none" },
        { match: "signals.*", clientPublish: "client-events" },
      ],
    },
  );

  async function two(channel: string) {
    const [from, to] = [await connectAs(server.url, "ada", { channels: ["*"] }), await connectNative(server.url)];
    await from.subscribe(channel);
    await to.subscribe(channel, channel.startsWith("private-") ? to.permission(channel) : {});
    return { from, to };
  }

  test("reaches the others and not oneself, and is answered where it has an id", async () => {
    const { from, to } = await two("wall.1");
    from.send("publish", { channel: "wall.1", event: "drawn", data: { x: 1 } });
    expect(await to.next()).toEqual({ event: "drawn", channel: "wall.1", data: { x: 1 }, user: "ada" });
    const answer = await from.ask("publish", { channel: "wall.1", data: "text" });
    expect(answer).toEqual({ event: "published", channel: "wall.1", id: answer.id });
    expect(await to.next()).toEqual({ event: "message", channel: "wall.1", data: "text", user: "ada" });
    expect(await from.unread()).toEqual([]);
  });

  test("names no user where nobody signed in", async () => {
    const { from, to } = await two("wall.2");
    to.send("publish", { channel: "wall.2", event: "e", data: null });
    expect(await from.next()).toEqual({ event: "e", channel: "wall.2", data: null });
  });

  test.each([
    ["nothing, in a public channel", "plain", ["client-x", "x"], []],
    ["client- events, in a private channel", "private-talk", ["x", "message"], ["client-x"]],
    ["nothing, where the rule says none", "private-quiet", ["client-x"], []],
    ["nothing, in an encrypted channel", "private-encrypted-a", ["client-x"], []],
    ["client- events, where the rule says so", "signals.1", ["x"], ["client-x"]],
    ["any event, where the rule says so", "wall.3", [], ["client-x", "x", "new-message"]],
  ] as const)("is allowed: %s", async (_, channel, refused, allowed) => {
    const { from, to } = await two(channel);
    for (const event of refused) {
      expect(await from.ask("publish", { channel, event, data: 1 })).toMatchObject({
        code: "publish_forbidden",
        channel,
      });
    }
    for (const event of allowed) {
      expect((await from.ask("publish", { channel, event, data: 1 })).event).toBe("published");
      expect((await to.next()).event).toBe(event);
    }
    expect(await to.unread()).toEqual([]);
  });

  test.each([
    ["private-quiet", 'clientPublish is "none"'],
    ["plain", "private and presence channels only"],
    ["private-encrypted-a", "encrypted"],
  ])("a publication in %s is refused by the name of what decides: %s", async (channel, reason) => {
    const { from } = await two(channel);
    const { message } = await from.ask("publish", { channel, event: "client-x", data: 1 });
    expect(message).toContain(reason);
  });

  test("under a name that either protocol reserves is refused, whatever the rule", async () => {
    const { from, to } = await two("wall.4");
    const ofProtocols = ["subscribed", "error", "closing", "member_added", "pusher:error", "pusher_internal:x"];
    for (const event of [...ofProtocols, "fanfare:gap", "fanfare:"]) {
      expect((await from.ask("publish", { channel: "wall.4", event })).code).toBe("event_reserved");
    }
    expect((await from.ask("fanfare:gap", {})).code).toBe("event_reserved");
    expect((await from.ask("publish", { channel: "wall.4", event: "fanfare" })).event).toBe("published");
    expect(await to.next("fanfare")).toMatchObject({ channel: "wall.4" });
    expect(await to.unread()).toEqual([]);
  });

  test("needs a subscription", async () => {
    const { to } = await two("wall.5");
    const outsider = await connectNative(server.url);
    const answer = await outsider.ask("publish", { channel: "wall.5", event: "e" });
    expect(answer).toMatchObject({ event: "error", code: "not_subscribed", channel: "wall.5" });
    expect(await to.unread()).toEqual([]);
  });

  test("is held to the limits of names and data", async () => {
    const { from } = await two("wall.6");
    const publish = (event: string, data: unknown) => from.ask("publish", { channel: "wall.6", event, data });
    expect((await publish("", 1)).code).toBe("event_invalid");
    expect((await publish("e".repeat(201), 1)).code).toBe("event_invalid");
    expect((await publish("e", "x".repeat(102_401))).code).toBe("data_too_large");
    expect((await publish("e", "€".repeat(34_134))).code).toBe("data_too_large");
    expect((await publish("e".repeat(200), "€".repeat(34_133))).event).toBe("published");
  });

  test("is held to a rate", async () => {
    const slow = await startServer({}, { anonymous: true, channels: [{ match: "*", clientPublish: "any" }] });
    const client = await connectNative(slow.url);
    await client.subscribe("c");
    const asked = Array.from({ length: 100 }, () => client.ask("publish", { channel: "c", event: "e" }));
    const answers = (await Promise.all(asked)).map(({ event, code }) => code ?? event);
    expect(answers.slice(0, 10)).toEqual(Array(10).fill("published"));
    expect(answers).toContain("rate_limited");
  });
});

describe("authenticate", async () => {
  const server = await startServer({}, { anonymous: true });

  test("makes a stranger a user, with what the token grants", async () => {
    const client = await connectNative(server.url);
    expect((await client.ask("subscribe", { channel: "private-a" })).code).toBe("unauthorized");
    const token = await makeToken({ sub: "ada", info: { name: "Ada" }, channels: ["private-a"] });
    const answer = await client.ask("authenticate", { token });
    expect(answer).toEqual({
      event: "authenticated",
      id: answer.id,
      data: { user: { id: "ada", info: { name: "Ada" } } },
    });
    await client.subscribe("private-a");
    await server.toUser("ada").push({ event: "hello", data: 1 });
    expect(await client.next()).toEqual({ event: "hello", data: 1 });
  });

  test("is refused with a reason, and the connection stays what it was", async () => {
    const client = await connectNative(server.url);
    const answer = await client.ask("authenticate", { token: await makeToken({ sub: "ada", exp: 1 }) });
    expect(answer).toMatchObject({
      event: "error",
      code: "unauthorized",
      message: "The token is refused: it has expired.",
    });
    expect(server.connections.get(client.id)?.user).toBeUndefined();
    expect((await client.ask("authenticate", { token: "x".repeat(20_000) })).code).toBe("unauthorized");
  });

  test("renews the same user's token, and never makes it another user", async () => {
    const client = await connectAs(server.url, "ada");
    const other = await client.ask("authenticate", { token: await makeToken({ sub: "bob", channels: ["private-*"] }) });
    expect(other.code).toBe("already_signed_in");
    expect((await client.ask("subscribe", { channel: "private-b" })).code).toBe("unauthorized");
    const same = await client.ask("authenticate", { token: await makeToken({ sub: "ada", channels: ["private-*"] }) });
    expect(same.event).toBe("authenticated");
    await client.subscribe("private-b");
    await server.toUser("ada").push("once");
    expect((await client.next()).data).toBe("once");
    expect(await client.unread()).toEqual([]);
  });
});

describe("a watchlist", async () => {
  const server = await startServer({}, { anonymous: true, limits: { watchlistSize: 3 } });

  test("says who is online at first, and then who comes and goes", async () => {
    const bob = await connectAs(server.url, "bob");
    const ada = await connectAs(server.url, "ada", { watchlist: ["bob", "cyd", "bob"] });
    expect(await ada.next()).toEqual({ event: "watchlist", data: { online: ["bob"], offline: ["cyd"] } });
    const cyd = await connectNative(server.url);
    await cyd.ask("authenticate", { token: await makeToken({ sub: "cyd" }) });
    expect(await ada.next()).toEqual({ event: "watchlist", data: { online: ["cyd"], offline: [] } });
    const again = await connectAs(server.url, "bob");
    await bob.close();
    await again.close();
    expect(await ada.next()).toEqual({ event: "watchlist", data: { online: [], offline: ["bob"] } });
    expect(await ada.unread()).toEqual([]);
  });

  test("that is too long is cut, which is told apart from the answer", async () => {
    const client = await connectNative(server.url);
    const token = await makeToken({ sub: "dan", watchlist: ["1", "2", "3", "4"] });
    expect((await client.ask("authenticate", { token })).event).toBe("authenticated");
    expect((await client.next()).data).toEqual({ online: [], offline: ["1", "2", "3"] });
    const cut = await client.next();
    expect(cut).toMatchObject({ event: "error", code: "too_many_watched" });
    expect(cut.id).toBeUndefined();
  });
});

describe("custom events (A36)", async () => {
  const server = await startServer({}, { anonymous: true, limits: { clientEventsPerSecond: 1_000 } });
  const heard: unknown[] = [];
  server
    .handle("vote", ({ id, user }, data) => ({ by: id, user: user?.id ?? null, data }))
    .handle("silent", (_, data) => void heard.push(data))
    .handle("refuse", () => {
      throw new CommandError("publish_forbidden", "The poll is closed.");
    })
    .handle("break", () => {
      throw new Error("secret detail");
    })
    .handle("break later", () => Promise.reject(new Error("secret detail")))
    .handle("goodbye", () => {
      throw new Disconnect("terminated", "That was rude.");
    })
    .handle("cyclic", (connection) => ({ connection, self: globalThis }))
    .handle("slow", async (_, data) => {
      await Bun.sleep(50);
      heard.push(data);
      return data;
    });

  test("are answered with what the handler returns, where they have an id", async () => {
    const client = await connectAs(server.url, "ada");
    const answer = await client.ask("vote", { option: 2 });
    const data = { by: client.id, user: "ada", data: { option: 2 } };
    expect(answer).toEqual({ event: "result", id: answer.id, data });
    client.send("vote", 1);
    expect(await client.unread()).toEqual([]);
    expect((await client.ask("silent", "x")).data).toBeNull();
    expect(heard).toContain("x");
  });

  test("are handed data of any kind, and null for none", async () => {
    const client = await connectNative(server.url);
    for (const data of [1, "text", [1, [2]], null, false, { a: { b: null } }]) {
      expect((await client.ask("vote", data)).data).toEqual({ by: client.id, user: null, data });
    }
    expect((await client.ask("vote")).data).toEqual({ by: client.id, user: null, data: null });
  });

  test("that are refused by a CommandError are answered with its code and message", async () => {
    const client = await connectNative(server.url);
    const answer = await client.ask("refuse");
    expect(answer).toEqual({
      event: "error",
      message: "The poll is closed.",
      code: "publish_forbidden",
      id: answer.id,
    });
    client.send("refuse");
    const { event, id } = await client.next();
    expect([event, id]).toEqual(["error", undefined]);
  });

  test("whose handler fails are answered internal, and nobody else notices", async () => {
    const client = await connectNative(server.url);
    for (const event of ["break", "break later", "cyclic"]) {
      const answer = await client.ask(event);
      const message = "Something went wrong on the server.";
      expect(answer).toEqual({ event: "error", message, code: "internal", id: answer.id });
    }
    expect((await client.ask("vote", 1)).event).toBe("result");
  });

  test("may end the connection", async () => {
    const client = await connectNative(server.url);
    client.send("goodbye");
    const farewell = { event: "closing", code: "terminated", message: "That was rude.", reconnect: "never" };
    expect(await client.next()).toEqual(farewell);
    expect(await client.socket.closed).toEqual({ code: 4009, reason: "That was rude." });
  });

  test("that nothing handles are refused, and so are the protocol's own names", async () => {
    const client = await connectNative(server.url);
    expect((await client.ask("typing")).code).toBe("unknown_command");
    expect((await client.ask("")).code).toBe("event_invalid");
    expect((await client.ask("v".repeat(201))).code).toBe("event_invalid");
    for (const event of ["welcome", "subscribed", "result", "error", "closing", "pusher:subscribe"]) {
      expect((await client.ask(event)).code).toBe("event_reserved");
    }
  });

  test("that nothing else handles go to the handler of *", async () => {
    const catching = await startServer({}, { anonymous: true });
    catching.handle("known", () => "mine").handle("*", (_, data) => ["caught", data]);
    const client = await connectNative(catching.url);
    expect((await client.ask("known")).data).toBe("mine");
    expect((await client.ask("unknown", 5)).data).toEqual(["caught", 5]);
    expect((await client.ask("constructor", 5)).data).toEqual(["caught", 5]);
  });

  test("are handled one after the other, in the order in which they came", async () => {
    const client = await connectNative(server.url);
    heard.length = 0;
    const slow = client.ask("slow", "first");
    const quick = client.ask("silent", "second");
    await client.ask("vote");
    expect(heard).toEqual(["first", "second"]);
    expect((await slow).data).toBe("first");
    expect((await quick).data).toBeNull();
  });

  test("of one client do not hold up another's", async () => {
    const [held, free] = [await connectNative(server.url), await connectNative(server.url)];
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    server.handle("hold", () => {
      start();
      return released;
    });
    const holding = held.ask("hold");
    const waiting = held.ask("ping");
    await started;
    expect((await free.ask("vote")).event).toBe("result");
    expect(held.socket.unread).toEqual([]);
    release();
    expect((await holding).event).toBe("result");
    expect((await waiting).event).toBe("pong");
  });
});
