/** What a program pushes: to whom it goes, who is left out, and what cannot be pushed. */

import { describe, expect, test } from "bun:test";
import { CommandError, type Target } from "../../packages/server/src/index.ts";
import { connectAs, connectNative, type NativeTestClient } from "../support/native-client.ts";
import { connectPusher, type PusherTestClient } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";

const server = await startServer({}, { anonymous: true });

test("a user whose id is a number is the one of its digits, to push to and to end (A39)", async () => {
  const client = await connectAs(server.url, "123");
  await server.toUser(123).push({ event: "notification", data: { title: "New order" } });
  expect((await client.next("notification")).data).toEqual({ title: "New order" });
  await server.app().terminate(123, { revoke: false });
  expect((await client.socket.closed).code).toBe(4009);
});

describe("except", async () => {
  const natives = [await connectNative(server.url), await connectNative(server.url), await connectNative(server.url)];
  const pushers = [await connectPusher(server.url), await connectPusher(server.url), await connectPusher(server.url)];
  for (const client of [...natives, ...pushers]) await client.subscribe("ring");
  const idOf = (client: NativeTestClient | PusherTestClient) => ("socketId" in client ? client.socketId : client.id);
  const ids = [...natives, ...pushers].map(idOf);

  /** Every excluded set of up to three, of one protocol and of both. */
  const SETS: readonly (readonly number[])[] = [
    [],
    [0],
    [3],
    [0, 1],
    [0, 3],
    [4, 5],
    [0, 1, 2],
    [3, 4, 5],
    [0, 1, 3],
    [2, 4, 5],
    [0, 1, 2, 3, 4, 5],
  ];

  test("leaves out just those, and keeps the order with everything around it (A40, scenario 24)", async () => {
    const expected: string[][] = ids.map(() => []);
    for (let round = 0; round < 20; round++) {
      for (const [index, excluded] of SETS.entries()) {
        const name = `${round}.${index}`;
        void server.toChannel("ring").push({ event: "before", data: name });
        void server
          .toChannel("ring")
          .except(excluded.map((at) => ids[at] ?? ""))
          .push({ event: "some", data: name });
        void server.toChannel("ring").push({ event: "after", data: name });
        for (const [at, list] of expected.entries()) {
          list.push(`before ${name}`, ...(excluded.includes(at) ? [] : [`some ${name}`]), `after ${name}`);
        }
      }
      // Some in one tick and some in several.
      if (round % 3 === 0) await Bun.sleep(0);
    }
    for (const [at, client] of [...natives, ...pushers].entries()) {
      await client.ping();
      const { frames } = "socket" in client ? client.socket : client;
      const heard = frames.filter(({ event }) => ["before", "some", "after"].includes(event));
      // A Pusher client is handed text that is JSON as the text of a string.
      const lines = heard.map(({ event, data }) => `${event} ${String(data).replaceAll('"', "")}`);
      expect(lines).toEqual(expected[at] ?? []);
    }
  });

  test("takes one id or several, adds up, and leaves the target it was called on as it was (A40)", async () => {
    const target = server.toChannel("ring");
    const [first = "", second = ""] = ids;
    await target.except(first).except([second]).push({ event: "added up", data: 1 });
    await target.push({ event: "to all", data: 1 });
    for (const [at, client] of natives.entries()) {
      await client.next("to all");
      expect(client.socket.unread.filter(({ event }) => event === "added up")).toHaveLength(at < 2 ? 0 : 1);
    }
  });

  test("ignores ids of no connection, and those of connections elsewhere", async () => {
    const elsewhere = await connectNative(server.url);
    await server.toChannel("ring").except(["1.1", "", "__proto__", elsewhere.id]).push({ event: "all", data: 1 });
    for (const client of [...natives, ...pushers]) await client.next("all");
  });

  test("leaves out one device of a user (A39)", async () => {
    const [phone, desk] = [await connectAs(server.url, "ada"), await connectAs(server.url, "ada")];
    await server.toUser("ada").except(phone.id).push({ event: "sync", data: 1 });
    await server.toUser("ada").push({ event: "all", data: 1 });
    await phone.next("all");
    await desk.next("all");
    expect(phone.socket.unread).toEqual([]);
    expect(desk.socket.unread.map(({ event }) => event)).toEqual(["sync"]);
  });
});

describe("pushing", () => {
  test("without subscribers is no error", async () => {
    await server.toChannel("empty").push("x");
    await server.toUser("nobody").push("x");
    expect(await server.channels()).not.toContainEqual(expect.objectContaining({ name: "empty" }));
  });

  test("works in every kind of channel", async () => {
    const client = await connectNative(server.url);
    for (const channel of ["plain", "cache-a", "private-a", "private-encrypted-a", "presence-a"]) {
      const member = channel.startsWith("presence-") ? { user_id: "1" } : undefined;
      await client.subscribe(channel, client.permission(channel, member));
      await server.toChannel(channel).push({ event: "pushed", data: channel });
      expect((await client.next("pushed")).channel).toBe(channel);
    }
  });

  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const throwing = {
    toJSON: () => {
      throw new Error("no");
    },
  };
  const cases: [string, () => Target, unknown, string][] = [
    ["to a name that is no channel's", () => server.toChannel("a b"), "x", "channel_invalid"],
    ["to an empty name", () => server.toChannel(""), "x", "channel_invalid"],
    ["to a name that is too long", () => server.toChannel("c".repeat(201)), "x", "channel_invalid"],
    ["to the server's own channels", () => server.toChannel("#online-ada"), "x", "channel_invalid"],
    ["to a user without an id", () => server.toUser(""), "x", "user_invalid"],
    ["to a user id that is too long", () => server.toUser("u".repeat(129)), "x", "user_invalid"],
    ["an event without a name", () => server.toChannel("c"), { event: "", data: 1 }, "event_invalid"],
    ["an event whose name is too long", () => server.toChannel("c"), { event: "e".repeat(201) }, "event_invalid"],
    ["an event of Pusher's own", () => server.toChannel("c"), { event: "pusher:error", data: {} }, "event_reserved"],
    ["an event of the client libraries'", () => server.toChannel("c"), { event: "fanfare:gap" }, "event_reserved"],
    ["the same for a user", () => server.toUser("ada"), { event: "fanfare:gap", data: 1 }, "event_reserved"],
    [
      "a bare object as Pusher's own",
      () => server.toChannel("c"),
      { event: "pusher_internal:x", a: 1 },
      "event_reserved",
    ],
    [
      "data that is too large",
      () => server.toChannel("c"),
      { event: "e", data: "x".repeat(102_401) },
      "data_too_large",
    ],
    ["an object that is too large", () => server.toChannel("c"), { big: "€".repeat(34_134) }, "data_too_large"],
    ["an object in a circle", () => server.toChannel("c"), cyclic, "data_invalid"],
    ["a big integer", () => server.toChannel("c"), { event: "e", data: 1n }, "data_invalid"],
    ["a function", () => server.toChannel("c"), () => 1, "data_invalid"],
    ["a symbol", () => server.toChannel("c"), { event: "e", data: Symbol("s") }, "data_invalid"],
    ["an object that refuses", () => server.toChannel("c"), throwing, "data_invalid"],
  ];

  test.each(cases)("%s is refused", async (_, target, payload, code) => {
    const pushed = Promise.try(() => target().push(payload));
    const error = await pushed.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CommandError);
    expect((error as CommandError).code as string).toBe(code);
    expect((error as CommandError).message).toMatch(/^[A-Z].+\.$/s);
  });
});

test("a number beyond 2^53 is pushed as JSON.rawJSON spells it", async () => {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  const [native, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
  for (const client of [native, pusher]) await client.subscribe("exact");
  await server.toChannel("exact").push({ event: "e", data: { n: rawJSON("1234567890123456789") } });
  expect((await pusher.next("e")).data).toBe('{"n":1234567890123456789}');
  await native.next("e");
  expect(String(native.socket.raw.at(-1))).toContain('"data":{"n":1234567890123456789}');
});
