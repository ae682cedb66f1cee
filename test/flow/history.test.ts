/** History over real sockets: resuming, racing, reading it, and publishing once. */

import { describe, expect, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, type NativeTestClient } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import type { TestFrame } from "../support/socket.ts";

const RULES = [
  { match: "room*", history: { size: 200, ttlS: 60 }, clientPublish: "any" as const },
  { match: "small", history: { size: 2, ttlS: 60 } },
  { match: "cache-kept", history: {} },
  { match: "cache-brief", cacheTtlS: 0.3 },
];

const start = () =>
  startServer(
    {},
    { anonymous: true, channels: RULES, limits: { clientEventsPerSecond: 10_000, subscribesPerSecond: 10_000 } },
  );

const push = (server: Server, channel: string, data: unknown) => server.toChannel(channel).push({ event: "e", data });

async function eventsOf(client: NativeTestClient, channel: string): Promise<readonly TestFrame[]> {
  return (await client.unread()).filter((frame) => frame.channel === channel && frame.event === "e");
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, n) => n + from);
}

describe("resuming", () => {
  test("after 100 events were missed brings exactly those, in order, before what is new (scenario 26)", async () => {
    const server = await start();
    const first = await connectNative(server.url);
    const stood = (await first.subscribe("room")).position;
    await push(server, "room", "seen");
    expect(await first.next("e")).toMatchObject({ position: { offset: 1 } });
    await first.close();
    for (const n of numbers(100)) await push(server, "room", n);
    const back = await connectNative(server.url);
    const answer = back.subscribe("room", { position: stood });
    for (const n of numbers(20, 100)) await push(server, "room", n);
    expect(await answer).toMatchObject({ recovered: true, position: stood });
    await eventually(async () => expect(await eventsOf(back, "room")).toHaveLength(121));
    const events = await eventsOf(back, "room");
    expect(events.map(({ data }) => data)).toEqual(["seen", ...numbers(120)]);
    expect(events.map(({ position }) => position)).toMatchObject(numbers(121, 1).map((offset) => ({ offset })));
  });

  test("nothing comes that its earlier connection still publishes, or was excluded from; others get it", async () => {
    const server = await start();
    const [first, other] = [await connectNative(server.url), await connectNative(server.url)];
    const { position } = await first.subscribe("room");
    await other.subscribe("room");
    const back = await connectNative(server.url);
    const stranger = await connectNative(server.url);
    await back.subscribe("room", { position, previousIds: ["1.1", first.id] });
    await stranger.subscribe("room", { position, previousIds: ["1.1", first.id] });
    // It was on its way when the client gave its connection up.
    first.send("publish", { channel: "room", event: "e", data: "late" });
    expect((await other.next("e")).data).toBe("late");
    await server.toChannel("room").except(first.id).push({ event: "e", data: "not hers" });
    await push(server, "room", "all");
    expect((await other.next("e")).data).toBe("not hers");
    for (const client of [back, stranger]) expect((await client.next("e")).data).toBe("all");
    await back.close();
    first.send("publish", { channel: "room", event: "e", data: "later" });
    await push(server, "room", "end");
    expect((await stranger.next("e")).data).toBe("end");
  });

  test("at a server that was restarted says that something is lost (scenario 26)", async () => {
    const server = await start();
    const first = await connectNative(server.url);
    await first.subscribe("room");
    await push(server, "room", 1);
    const { position } = await first.next("e");
    await server.stop();
    await server.start();
    await push(server, "room", 2);
    const back = await connectNative(server.url);
    expect(await back.subscribe("room", { position })).toMatchObject({ recovered: false, position: { offset: 1 } });
    expect(await eventsOf(back, "room")).toEqual([]);
  });

  test("says that something is lost when less is kept than was missed", async () => {
    const server = await start();
    const first = await connectNative(server.url);
    const { position } = await first.subscribe("small");
    for (const n of numbers(3)) await push(server, "small", n);
    const back = await connectNative(server.url);
    expect(await back.subscribe("small", { position })).toMatchObject({ recovered: false, position: { offset: 3 } });
    const all = await connectNative(server.url);
    expect(await all.subscribe("small", { recover: true })).toMatchObject({
      recovered: false,
      position: { offset: 1 },
    });
    expect((await eventsOf(all, "small")).map(({ data }) => data)).toEqual([1, 2]);
  });

  test("who missed more than may wait for a reader is told so, and is not cut, however the payload swells as JSON", async () => {
    const limits = { outboundBufferBytes: 20_000 };
    const server = await startServer({ limits }, { anonymous: true, channels: RULES });
    const first = await connectNative(server.url);
    const { position } = await first.subscribe("room");
    // Each takes six bytes in a frame: what is 9 KB here is 54 KB there.
    await push(server, "room", 1);
    await signedFetch(server.url, APP, "POST", "/events", {
      body: { name: "e", channel: "room", data: "\u0001".repeat(9_000) },
    });
    const back = await connectNative(server.url);
    expect(await back.subscribe("room", { position })).toMatchObject({ recovered: false, position: { offset: 2 } });
    await push(server, "room", 3);
    expect(await back.next("e")).toMatchObject({ data: 3 });
  });

  test("is nothing that a Pusher client meets, in the same channel", async () => {
    const server = await start();
    const [pusher, native] = [await connectPusher(server.url), await connectNative(server.url)];
    await pusher.subscribe("room");
    await native.subscribe("room");
    await push(server, "room", { x: 1 });
    expect(await pusher.nextIn("room")).toEqual({ event: "e", channel: "room", data: '{"x":1}' });
    await native.ask("publish", { channel: "room", event: "e", data: 2 });
    expect(await pusher.nextIn("room")).toMatchObject({ data: "2" });
  });
});

describe("a channel that a program makes persistent (S5)", () => {
  test("keeps what is published while nobody is there, and counts at once for those who are", async () => {
    const server = await start();
    const client = await connectNative(server.url);
    expect(await client.subscribe("made")).not.toHaveProperty("position");
    await push(server, "made", "before");
    expect(await client.next("e")).not.toHaveProperty("position");
    server.createChannel("made", { persistent: true });
    await push(server, "made", 1);
    const { position } = await client.next("e");
    expect(position).toMatchObject({ offset: 1 });
    const newcomer = await connectNative(server.url);
    expect(await newcomer.subscribe("made")).toMatchObject({ position });
    await client.close();
    await newcomer.close();
    await eventually(async () => expect(await server.channel("made").info()).toBeUndefined());
    await push(server, "made", 2);
    const back = await connectNative(server.url);
    expect(await back.subscribe("made", { position })).toMatchObject({ recovered: true });
    expect(await back.next("e")).toMatchObject({ data: 2, position: { offset: 2 } });
    server.removeChannel("made");
    await push(server, "made", 3);
    expect(await back.next("e")).not.toHaveProperty("position");
  });

  test("keeps what is sealed as it is, and what members of a presence channel say", async () => {
    const server = await start();
    for (const name of ["private-encrypted-x", "presence-x"]) server.createChannel(name, { history: { size: 5 } });
    const ada = await connectAs(server.url, "ada", { channels: ["*"] });
    const sealed = { nonce: "bm9uY2U=", ciphertext: "c2VhbGVk" };
    const { position } = await ada.subscribe("private-encrypted-x");
    await ada.subscribe("presence-x");
    await push(server, "private-encrypted-x", sealed);
    await push(server, "presence-x", 1);
    await ada.close();
    const again = await connectAs(server.url, "ada", { channels: ["*"] });
    expect(await again.subscribe("private-encrypted-x", { position })).toMatchObject({ recovered: true });
    expect(await again.next("e")).toMatchObject({ data: sealed });
    expect(await again.subscribe("presence-x", { recover: true })).toMatchObject({
      data: { members: [{ id: "ada" }] },
      recovered: true,
      position: { offset: 0 },
    });
    expect(await again.next("e")).toMatchObject({ data: 1, channel: "presence-x" });
  });
});

test("a thousand subscriptions that race a publication miss nothing after the answer, and nothing twice (scenario 23)", async () => {
  const server = await start();
  const client = await connectNative(server.url, {});
  const pusher = await connectPusher(server.url);
  for (let round = 0; round < 1_000; round++) {
    const channel = round % 2 === 0 ? "room-race" : "race";
    const reader = round % 4 < 2 ? client : undefined;
    let offset: unknown;
    if (reader) {
      const answer = reader.ask("subscribe", { channel });
      const published = push(server, channel, round);
      offset = (await answer).position;
      await published;
    } else {
      const answer = pusher.subscribe(channel);
      const published = push(server, channel, round);
      await answer;
      await published;
    }
    await push(server, channel, `last ${round}`);
    const heard: string[] = [];
    while (heard.at(-1) !== `last ${round}`) {
      const { data, position } = reader ? await reader.next("e") : await pusher.nextIn(channel);
      heard.push(String(data));
      if (offset)
        expect(position).toMatchObject({ offset: Number(Reflect.get(Object(offset), "offset")) + heard.length });
    }
    expect([[`${round}`, `last ${round}`], [`last ${round}`]]).toContainEqual(heard);
    if (reader) await reader.ask("unsubscribe", { channel });
    else pusher.unsubscribe(channel);
  }
}, 60_000);

describe("a cache channel", () => {
  test("gives its last event to who comes after a restart, or says that there is none, never a stale one (scenario 27)", async () => {
    const server = await start();
    await push(server, "cache-kept", 1);
    await push(server, "cache-brief", 1);
    const early = await connectNative(server.url);
    for (const channel of ["cache-kept", "cache-brief"]) {
      await early.subscribe(channel);
      expect(await early.next("e")).toEqual({ event: "e", channel, data: 1 });
    }
    await Bun.sleep(400);
    const late = await connectNative(server.url);
    await late.subscribe("cache-brief");
    await late.next("cache_miss");
    await server.stop();
    await server.start();
    const after = await connectNative(server.url);
    await after.subscribe("cache-kept");
    await after.next("cache_miss");
  });
});

describe("the HTTP API", () => {
  const get = (server: Server, path: string, query: Record<string, string> = {}) =>
    signedFetch(server.url, APP, "GET", path, { query });
  const trigger = (server: Server, body: object, path = "/events") =>
    signedFetch(server.url, APP, "POST", path, { body });

  interface Page {
    readonly next: string | null;
    readonly events: readonly {
      name: string;
      data: string;
      position: { epoch: string; offset: number };
      ttl: number;
    }[];
    readonly position: { readonly epoch: string; readonly offset: number };
    readonly complete: boolean;
    readonly keeps: unknown;
  }
  const pageOf = async (response: Promise<Response>) => (await (await response).json()) as Page;

  test("gives what is kept, page by page, oldest first, and who published it", async () => {
    const server = await start();
    for (const n of numbers(25)) await push(server, "room", n);
    const ada = await connectAs(server.url, "ada");
    await ada.subscribe("room");
    await ada.ask("publish", { channel: "room", event: "said", data: "hi" });
    const latest = await pageOf(get(server, "/channels/room/history", { limit: "2" }));
    expect(latest.keeps).toEqual({ size: 200, ttl: 60 });
    expect(latest.events).toMatchObject([
      { name: "e", data: "24" },
      { name: "said", socket_id: ada.id, user_id: "ada" },
    ]);
    expect(latest.events[0]?.ttl).toBeGreaterThan(50);
    const read: string[] = [];
    let since = { since_epoch: latest.position.epoch, since_offset: "0" };
    for (let pages = 0; pages < 9; pages++) {
      const page = await pageOf(get(server, "/channels/room/history", { limit: "10", ...since }));
      expect([page.complete, page.position.offset]).toEqual([true, 26]);
      const last = page.events.at(-1);
      if (!last) break;
      read.push(...page.events.map(({ data }) => data));
      since = { since_epoch: last.position.epoch, since_offset: String(last.position.offset) };
    }
    expect(read).toEqual([...numbers(25).map(String), "hi"]);
    const program = await server.history("room", { since: { ...latest.position, offset: 24 } });
    await expect(server.history("room", { limit: -1 })).rejects.toThrow(RangeError);
    expect(program).toMatchObject({
      complete: true,
      events: [
        { event: "e", data: 24 },
        { data: "hi", from: { user: "ada" } },
      ],
    });
  });

  test("gives the position alone with a limit of 0", async () => {
    const server = await start();
    for (const n of numbers(3)) await push(server, "room", n);
    const { position } = await pageOf(get(server, "/channels/room/history"));
    expect(position.offset).toBe(3);
    const page = await pageOf(get(server, "/channels/room/history", { limit: "0" }));
    expect(page).toEqual({ events: [], next: null, position, complete: true, keeps: { size: 200, ttl: 60 } });
    expect(await server.history("room", { limit: 0 })).toEqual({ events: [], position, complete: true });
    expect(await pageOf(get(server, "/channels/plain/history", { limit: "0" }))).toMatchObject({
      events: [],
      keeps: null,
    });
  });

  test("tells where an event stands that it published, if asked to", async () => {
    const server = await start();
    await push(server, "room", 0);
    const body = { name: "e", data: "1", info: "position,subscription_count", idempotency_key: "k" };
    const answer = await (await trigger(server, { ...body, channels: ["room", "plain", "cache-brief"] })).json();
    const { position } = await server.history("room", { limit: 0 });
    expect(answer).toEqual({
      channels: {
        room: { subscription_count: 0, position: { ...position, offset: 2 } },
        plain: { subscription_count: 0 },
        "cache-brief": { subscription_count: 0 },
      },
    });
    // Whoever asks again hears of the first.
    const again = await (await trigger(server, { ...body, channels: ["room"] })).json();
    expect(again).toEqual({ channels: { room: { subscription_count: 0, position: { ...position, offset: 2 } } } });
    const item = { name: "e", data: "1", channel: "room" };
    const batch = [item, { ...item, info: "position" }, { ...item, channel: "plain", info: "position" }];
    const answers = await signedFetch(server.url, APP, "POST", "/batch_events", { body: { batch } });
    expect(await answers.json()).toEqual({ batch: [{}, { position: { ...position, offset: 4 } }, {}] });
  });

  test("publishes nothing where it asks for what is not known", async () => {
    const server = await start();
    const item = { name: "e", data: "1", channel: "room", info: "positions" };
    const answers = [
      await trigger(server, item),
      await signedFetch(server.url, APP, "POST", "/batch_events", { body: { batch: [{ ...item, info: null }, item] } }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect((await answer.json()).error).toBe(
        'info knows user_count, subscription_count, cache and position, not "positions".',
      );
    }
    expect((await server.history("room")).events).toEqual([]);
  });

  test("says where something is lost, and where nothing is kept", async () => {
    const server = await start();
    for (const n of numbers(5)) await push(server, "small", n);
    const { position } = await pageOf(get(server, "/channels/small/history"));
    const query = { since_epoch: position.epoch, since_offset: "1" };
    const page = await pageOf(get(server, "/channels/small/history", query));
    expect([page.complete, page.events.map(({ data }) => data)]).toEqual([false, ["3", "4"]]);
    expect(await pageOf(get(server, "/channels/plain/history"))).toMatchObject({ events: [], keeps: null });
    await push(server, "cache-brief", 7);
    expect(await pageOf(get(server, "/channels/cache-brief/history"))).toMatchObject({
      events: [{ data: "7" }],
      keeps: { size: 1 },
    });
  });

  test.each([
    { limit: "-1" },
    { limit: "1001" },
    { limit: "x" },
    { since_epoch: "e" },
    { since_offset: "1" },
    { since_epoch: "e", since_offset: "-1" },
    { since_epoch: "e", since_offset: "99999999999999999" },
  ])("refuses %j", async (query) => {
    const server = await start();
    const response = await get(server, "/channels/room/history", query);
    expect([response.status, (await response.json()).code]).toEqual([400, "data_invalid"]);
  });

  test("publishes once what is sent again with its key, in the body or the header (scenario 25)", async () => {
    const server = await start();
    const client = await connectNative(server.url);
    for (const channel of ["a", "b"]) await client.subscribe(channel);
    const body = { name: "e", channels: ["a", "b"], data: "1", idempotency_key: "k1" };
    const answers = await Promise.all([trigger(server, body), trigger(server, body)]);
    answers.push(await trigger(server, body));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await trigger(server, { ...body, channels: ["a", "c"], idempotency_key: "k2" });
    const item = { name: "e", channel: "b", data: "2", idempotency_key: "k3" };
    for (const _ of [1, 2])
      await trigger(server, { batch: [item, { ...item, idempotency_key: undefined }] }, "/batch_events");
    expect((await eventsOf(client, "a")).map(({ data }) => data)).toEqual([1, 1]);
    expect((await eventsOf(client, "b")).map(({ data }) => data)).toEqual([1, 2, 2, 2]);
    const long = await trigger(server, { ...body, idempotency_key: "x".repeat(129) });
    expect([long.status, (await long.json()).code]).toEqual([400, "data_invalid"]);
  });

  test("takes what native clients send twice with a key for one, each user's for itself (scenario 25)", async () => {
    const server = await start();
    const [ada, bob, reader] = [
      await connectAs(server.url, "ada"),
      await connectAs(server.url, "bob"),
      await connectNative(server.url),
    ];
    for (const client of [ada, bob, reader]) await client.subscribe("room");
    const said = { channel: "room", event: "e", data: 1, idempotencyKey: "k" };
    expect(await ada.ask("publish", said)).toMatchObject({ event: "published", position: { offset: 1 } });
    const again = await connectAs(server.url, "ada");
    await again.subscribe("room");
    const answer = await again.ask("publish", said);
    // Where it stands is known, so that who did not hear the first answer can put it in its place.
    expect(answer).toMatchObject({ event: "published", position: { offset: 1 } });
    await bob.ask("publish", { ...said, data: 2 });
    expect((await eventsOf(reader, "room")).map(({ data }) => data)).toEqual([1, 2]);
    expect(await bob.ask("publish", { ...said, idempotencyKey: "" })).toMatchObject({
      event: "error",
      code: "data_invalid",
    });
  });
});
