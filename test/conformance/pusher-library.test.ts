/** The official server library for Node: publishing, asking, sending away, and what it is told when it is wrong. */

import { expect, test } from "bun:test";
import PusherLibrary from "pusher";
import { eventually } from "../support/eventually.ts";
import { connectPusher, type PusherTestClient } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { libraryFor, startBackend } from "./backend.ts";
import { connectClient, type Heard, own } from "./pusher-js.ts";

const server = await startServer({}, { limits: { eventDataBytes: 1024, batchSize: 10, channelsPerTrigger: 100 } });
const backend = startBackend(server);
const { library } = backend;

type Answer = Awaited<ReturnType<PusherLibrary["trigger"]>>;

async function bodyOf(answer: Promise<Answer>): Promise<unknown> {
  const response = await answer;
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json;charset=utf-8"]);
  return response.json();
}

/** As the library tells it: the status, and the body as text. */
async function refusalOf(answer: Promise<Answer>): Promise<{ status: number | undefined; body: unknown }> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof PusherLibrary.RequestError)) throw error;
    return { status: error.status, body: JSON.parse(error.body ?? "") };
  }
  throw new Error("It was not refused.");
}

async function membersOf(channel: string, ...users: string[]): Promise<PusherTestClient[]> {
  const clients = [];
  for (const user of users) {
    const client = await connectPusher(server.url);
    await client.subscribe(channel, { data: { user_id: user } });
    clients.push(client);
  }
  return clients;
}

test("trigger reaches one channel, or several, and is answered {}", async () => {
  const client = await connectClient(server, backend);
  const lists = [await client.subscribe("one"), await client.subscribe("two")];
  expect(await bodyOf(library.trigger("one", "e", { n: 1 }))).toEqual({});
  expect(await bodyOf(library.trigger(["one", "two"], "e", "text"))).toEqual({});
  const expected: Heard[][] = [
    [
      ["e", { n: 1 }],
      ["e", "text"],
    ],
    [["e", "text"]],
  ];
  await eventually(() => expect(lists.map(({ heard }) => own(heard))).toEqual(expected));
});

test("trigger leaves out the connection it is told to leave out", async () => {
  const [sender, other] = [await connectClient(server, backend), await connectClient(server, backend)];
  const lists = [await sender.subscribe("chat"), await other.subscribe("chat")];
  await library.trigger("chat", "said", 1, { socket_id: sender.socketId });
  await library.trigger("chat", "said", 2);
  const expected: Heard[][] = [
    [["said", 2]],
    [
      ["said", 1],
      ["said", 2],
    ],
  ];
  await eventually(() => expect(lists.map(({ heard }) => own(heard))).toEqual(expected));
});

test("trigger with info is told of each channel what was asked", async () => {
  await membersOf("presence-info", "1", "1", "2");
  const names = ["presence-info", "info-empty"];
  expect(await bodyOf(library.trigger(names, "e", {}, { info: "user_count,subscription_count" }))).toEqual({
    channels: {
      "presence-info": { user_count: 2, subscription_count: 3 },
      "info-empty": { subscription_count: 0 },
    },
  });
});

test("triggerBatch delivers each event to its own channel and leaves out whom it names", async () => {
  const client = await connectClient(server, backend);
  const lists = [await client.subscribe("batch-a"), await client.subscribe("batch-b")];
  const events = [
    { channel: "batch-a", name: "e", data: { n: 1 } },
    { channel: "batch-b", name: "e", data: { n: 2 }, socket_id: client.socketId },
    { channel: "batch-b", name: "e", data: { n: 3 } },
  ];
  expect(await bodyOf(library.triggerBatch(events))).toEqual({});
  const expected: Heard[][] = [[["e", { n: 1 }]], [["e", { n: 3 }]]];
  await eventually(() => expect(lists.map(({ heard }) => own(heard))).toEqual(expected));
});

test("triggerBatch with info is answered by a list in the order of its events", async () => {
  await membersOf("presence-batch", "1", "2");
  const events = [
    { channel: "presence-batch", name: "e", data: "x", info: "user_count" },
    { channel: "batch-c", name: "e", data: "x" },
    { channel: "presence-batch", name: "e", data: "x", info: "subscription_count" },
  ];
  const batch = [{ user_count: 2 }, {}, { subscription_count: 2 }];
  expect(await bodyOf(library.triggerBatch(events))).toEqual({ batch });
});

test("get lists the occupied channels, filtered, with the number of users", async () => {
  await membersOf("presence-list-a", "1", "1", "2");
  await membersOf("presence-list-b", "1");
  const params = { filter_by_prefix: "presence-list-", info: "user_count" };
  expect(await bodyOf(library.get({ path: "/channels", params }))).toEqual({
    channels: { "presence-list-a": { user_count: 2 }, "presence-list-b": { user_count: 1 } },
  });
  const all = (await bodyOf(library.get({ path: "/channels" }))) as { channels: Record<string, unknown> };
  expect(all.channels["presence-list-a"]).toEqual({});
});

test("get shows one channel, and that another is not occupied", async () => {
  await membersOf("presence-one", "1", "1");
  const params = { info: "user_count,subscription_count" };
  expect(await bodyOf(library.get({ path: "/channels/presence-one", params }))).toEqual({
    occupied: true,
    user_count: 1,
    subscription_count: 2,
  });
  expect(await bodyOf(library.get({ path: "/channels/nobody-here" }))).toEqual({ occupied: false });
});

test("get lists each user of a presence channel once", async () => {
  await membersOf("presence-users", "1", "1", "ada");
  expect(await bodyOf(library.get({ path: "/channels/presence-users/users" }))).toEqual({
    users: [{ id: "1" }, { id: "ada" }],
  });
});

/** More than Pusher answers, which is nothing: its libraries hand on what there is. */
const reached = (connections: number) => ({ connections, nodes_missing: 0 });

test("terminateUserConnections takes a user id that has to be escaped in a path", async () => {
  const user = await connectPusher(server.url);
  await user.signin({ id: "ada lovelace é" });
  expect(await bodyOf(library.terminateUserConnections("ada lovelace é"))).toEqual(reached(1));
  expect((await user.socket.closed).code).toBe(4009);
});

test("sendToUser reaches the user, terminateUserConnections closes every connection of the user with 4009", async () => {
  const [first, second] = [await connectPusher(server.url), await connectPusher(server.url)];
  for (const client of [first, second]) {
    const { auth, user_data } = library.authenticateUser(client.socketId, { id: "ada" });
    expect((await client.signin(user_data, auth)).event).toBe("pusher:signin_success");
    await client.subscribe("#server-to-user-ada");
  }
  expect(await bodyOf(library.sendToUser("ada", "note", { n: 1 }))).toEqual({});
  for (const client of [first, second]) expect((await client.next("note")).data).toBe('{"n":1}');
  expect(await bodyOf(library.terminateUserConnections("ada"))).toEqual(reached(2));
  expect([(await first.socket.closed).code, (await second.socket.closed).code]).toEqual([4009, 4009]);
});

test("authorizeChannel signs what the server lets in: private, presence and encrypted channels", async () => {
  const client = await connectPusher(server.url);
  const { auth } = library.authorizeChannel(client.socketId, "private-mine");
  expect(await client.subscribe("private-mine", { auth })).toEqual({});
  const member = { user_id: "7", user_info: { name: "Ada" } };
  const presence = library.authorizeChannel(client.socketId, "presence-mine", member);
  const data = presence.channel_data ?? "";
  expect(await client.subscribe("presence-mine", { auth: presence.auth, data })).toEqual({
    presence: { count: 1, ids: ["7"], hash: { "7": { name: "Ada" } } },
  });
  const sealed = library.authorizeChannel(client.socketId, "private-encrypted-mine");
  expect(sealed.shared_secret).toBeString();
  expect(await client.subscribe("private-encrypted-mine", { auth: sealed.auth })).toEqual({});
});

test("what the library encrypts, pusher-js reads", async () => {
  const client = await connectClient(server, backend);
  const { heard } = await client.subscribe("private-encrypted-box");
  expect(await bodyOf(library.trigger("private-encrypted-box", "e", { deep: ["sécret"] }))).toEqual({});
  await eventually(() => expect(own(heard)).toEqual([["e", { deep: ["sécret"] }]]));
});

test("a wrong secret is answered 401 with the string that should have been signed", async () => {
  const wrong = libraryFor(server.port, { ...APP, secret: "not it" });
  const { status, body } = await refusalOf(wrong.trigger("c", "e", {}));
  expect([status, body]).toEqual([401, { code: "signature_invalid", error: expect.stringContaining("POST\\n/apps/") }]);
});

test("a wrong key is answered 401, an unknown app 404", async () => {
  expect((await refusalOf(libraryFor(server.port, { ...APP, key: "other" }).trigger("c", "e", {}))).status).toBe(401);
  expect((await refusalOf(libraryFor(server.port, { ...APP, id: "other" }).trigger("c", "e", {}))).status).toBe(404);
});

test("data that is too large is answered 413", async () => {
  expect(await refusalOf(library.trigger("c", "e", "x".repeat(1025)))).toEqual({
    status: 413,
    body: {
      error: "The data content of this event exceeds the allowed maximum (1024 bytes, eventDataBytes): it has 1025.",
      code: "data_too_large",
    },
  });
  expect(await bodyOf(library.trigger("c", "e", "x".repeat(1024)))).toEqual({});
});

test("what is malformed or not applicable is answered 400", async () => {
  const event = { channel: "c", name: "e", data: "x" };
  const calls = [
    library.triggerBatch(new Array(11).fill(event)),
    library.trigger("c", "pusher:error", {}),
    library.trigger("c", "pusher_internal:member_added", {}),
    library.get({ path: "/channels", params: { info: "user_count" } }),
    library.get({ path: "/channels/public", params: { info: "user_count" } }),
    library.get({ path: "/channels/public/users" }),
    library.get({ path: "/channels/public", params: { info: "colour" } }),
    library.get({ path: "/channels/no%20name" }),
  ];
  const refusals = await Promise.all(calls.map(refusalOf));
  expect(refusals.map(({ status }) => status)).toEqual(calls.map(() => 400));
});
