/** Reading a channel's history over the native protocol, page by page, on every engine. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { WirePosition } from "fanfare/wire/native";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { connectNative, type NativeTestClient } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import type { TestFrame } from "../support/socket.ts";

setDefaultTimeout(120_000);

const CHANNELS = [
  { match: "kept-small", history: { size: 5, ttlS: 600 } },
  { match: "kept*", history: { size: 10_000, ttlS: 600 }, clientPublish: "any" as const },
  { match: "cache-plain", cacheTtlS: 60 },
];
const LIMITS = { clientEventsPerSecond: 100_000, subscribesPerSecond: 100_000 };

interface Page {
  readonly events: readonly TestFrame[];
  readonly own: readonly number[];
  readonly complete: boolean;
  readonly position: WirePosition;
}

interface Bounds {
  readonly after?: WirePosition;
  readonly before?: WirePosition;
  readonly limit?: number;
  readonly previousIds?: readonly string[];
}

async function read(client: NativeTestClient, channel: string, bounds: Bounds = {}): Promise<Page> {
  const answer = await client.ask("history", { channel, ...bounds });
  if (answer.event !== "history") throw new Error(`Refused: ${JSON.stringify(answer)}`);
  expect(answer.channel).toBe(channel);
  return { ...(answer.data as unknown as Omit<Page, "position">), position: positionOf(answer) };
}

function positionOf(frame: TestFrame | undefined): WirePosition {
  return frame?.position as unknown as WirePosition;
}

async function publish(client: NativeTestClient, channel: string, data: unknown): Promise<WirePosition> {
  return positionOf(await client.ask("publish", { channel, event: "e", data }));
}

async function trigger(url: string, channel: string, data: unknown, socketId?: string): Promise<void> {
  const body = { name: "e", channel, data: JSON.stringify(data), ...(socketId && { socket_id: socketId }) };
  expect((await signedFetch(url, APP, "POST", "/events", { body })).status).toBe(200);
}

const dataOf = (events: readonly TestFrame[]) => events.map(({ data }) => Number(data));
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => n + from);

describe.each(EVERY_ENGINE)("over %s", async (engine) => {
  const [one, other] = await startPair(engine, { app: { channels: CHANNELS, limits: LIMITS } });

  test("pages forwards and backwards hold every event once, in order, and say which are the reader's own", async () => {
    const [reader, writer] = [await one.native(), await other.native()];
    const channel = "kept-pages";
    const start = positionOf(await reader.subscribe(channel));
    await writer.subscribe(channel);
    const own: number[] = [];
    for (const n of numbers(40)) {
      if (n % 4 === 0) await publish(reader, channel, n);
      else if (n % 4 === 1) await publish(writer, channel, n);
      else await trigger(other.url, channel, n, n % 4 === 2 ? reader.id : undefined);
      if (n % 2 === 0) own.push(start.offset + n + 1);
    }
    const end = { epoch: start.epoch, offset: start.offset + 40 };

    const forwards: TestFrame[] = [];
    const marked: number[] = [];
    for (let after = start, page: Page | undefined; !page || after.offset < page.position.offset; ) {
      page = await read(reader, channel, { after, limit: 7 });
      expect([page.complete, page.position]).toEqual([true, end]);
      forwards.push(...page.events);
      marked.push(...page.own);
      after = positionOf(page.events.at(-1));
    }
    expect(dataOf(forwards)).toEqual(numbers(40));
    expect(forwards.map((event) => positionOf(event).offset)).toEqual(numbers(40, start.offset + 1));
    expect(marked).toEqual(own);
    const live = (await reader.unread()).filter(({ event }) => event === "e");
    expect(forwards.filter((event) => !own.includes(positionOf(event).offset))).toEqual([...live]);

    const back = await one.native();
    await back.subscribe(channel);
    expect((await read(back, channel, { after: start })).own).toEqual([]);
    expect((await read(back, channel, { after: start, previousIds: [reader.id] })).own).toEqual(own);

    const backwards: TestFrame[] = [];
    for (let page = await read(reader, channel, { limit: 7 }); page.events.length > 0; ) {
      backwards.unshift(...page.events);
      page = await read(reader, channel, { limit: 7, before: positionOf(page.events[0]) });
      expect(page.complete).toBe(true);
    }
    expect(backwards).toEqual(forwards);

    const [after, before] = [positionOf(forwards[9]), positionOf(forwards[13])];
    const between = await read(reader, channel, { after, before });
    expect([dataOf(between.events), between.complete]).toEqual([[10, 11, 12], true]);
    expect(await read(reader, channel, { after: end })).toMatchObject({ events: [], complete: true, position: end });
  });

  test("a page says what is no longer kept, and a position of another numbering finds nothing", async () => {
    const reader = await one.native();
    const channel = "kept-small";
    const { epoch, offset } = positionOf(await reader.subscribe(channel));
    for (const n of numbers(12)) await trigger(other.url, channel, n);
    const at = (more: number) => ({ epoch, offset: offset + more });
    const seen = async (bounds: Bounds) => {
      const { events, complete } = await read(reader, channel, bounds);
      return [dataOf(events), complete];
    };
    expect(await seen({})).toEqual([[7, 8, 9, 10, 11], false]);
    expect(await seen({ limit: 5 })).toEqual([[7, 8, 9, 10, 11], true]);
    expect(await seen({ after: at(0), limit: 3 })).toEqual([[7, 8, 9], false]);
    expect(await seen({ after: at(7), limit: 3 })).toEqual([[7, 8, 9], true]);
    expect(await seen({ before: at(10) })).toEqual([[7, 8], false]);
    expect(await seen({ before: at(10), limit: 2 })).toEqual([[7, 8], true]);
    expect(await seen({ before: at(8) })).toEqual([[], false]);
    expect(await seen({ before: at(3) })).toEqual([[], false]);
    expect(await seen({ before: at(13), limit: 1 })).toEqual([[11], true]);
    for (const bounds of [{ before: at(14) }, { before: { epoch: "other", offset: 9 } }]) {
      expect(await seen(bounds)).toEqual([[], false]);
    }
    for (const after of [at(13), { epoch: "other", offset: offset + 9 }]) {
      expect(await seen({ after })).toEqual([[7, 8, 9, 10, 11], false]);
    }
    expect(await seen({ after: at(8), before: { epoch: "other", offset: 9 } })).toEqual([[], false]);
  });

  test("who reads on as the document says, while events arrive, has each once and in order", async () => {
    const [reader, writer] = [await one.native(), await other.native()];
    const channel = "kept-live";
    const start = positionOf(await reader.subscribe(channel));
    await writer.subscribe(channel);
    const heard: number[] = [];
    let last = start.offset;
    let newest = start.offset;
    const take = (event: TestFrame) => {
      const { offset } = positionOf(event);
      if (offset <= last) return;
      last = offset;
      heard.push(Number(event.data));
    };
    const live: TestFrame[] = [];
    const collect = () => {
      const frames = reader.socket.frames.filter(({ event }) => event === "e");
      for (const frame of frames.slice(live.length)) {
        live.push(frame);
        newest = positionOf(frame).offset;
      }
    };
    for (const n of numbers(50)) await publish(writer, channel, n);
    const publishing = (async () => {
      for (const n of numbers(150, 50)) await publish(writer, channel, n);
    })();
    do {
      const page = await read(reader, channel, { after: { ...start, offset: last }, limit: 9 });
      expect(page.complete).toBe(true);
      page.events.forEach(take);
      collect();
    } while (last < newest);
    const arrivedBefore = live.length;
    await publishing;
    await reader.next(({ data }) => Number(data) === 199);
    collect();
    live.slice(arrivedBefore).forEach(take);
    expect(heard).toEqual(numbers(200));
  });
});

describe("reading history", async () => {
  const server = await startServer(
    { limits: { outboundBufferBytes: 3_000_000 } },
    { anonymous: true, channels: [...CHANNELS, { match: "brief", history: { size: 5, ttlS: 0.2 } }], limits: LIMITS },
  );

  test("is refused with a reason for who is not in the channel, where nothing is kept, and for a page of no size", async () => {
    const client = await connectNative(server.url);
    const codeFor = async (data: object) => (await client.ask("history", data)).code;
    expect(await codeFor({ channel: "kept-a" })).toBe("not_subscribed");
    await client.subscribe("kept-a");
    await client.subscribe("plain");
    await client.subscribe("cache-plain");
    for (const channel of ["plain", "cache-plain"]) expect(await codeFor({ channel })).toBe("no_history");
    for (const limit of [0, -1, 1_001]) expect(await codeFor({ channel: "kept-a", limit })).toBe("data_invalid");
    expect(await codeFor({ channel: "kept-a", limit: 1_000 })).toBeUndefined();
    await client.ask("unsubscribe", { channel: "kept-a" });
    expect(await codeFor({ channel: "kept-a" })).toBe("not_subscribed");
    expect(await codeFor({ channel: "#server-to-user-ada" })).toBe("not_subscribed");
    expect(await codeFor({ channel: "kept-a", after: 7 })).toBe("malformed");
  });

  test("counts against the rate of subscribing, and says when to try again", async () => {
    const slow = await startServer({}, { anonymous: true, channels: CHANNELS, limits: { subscribesPerSecond: 2 } });
    const client = await connectNative(slow.url);
    await client.subscribe("kept-a");
    const answers = await Promise.all(numbers(5).map(() => client.ask("history", { channel: "kept-a" })));
    const refused = answers.find(({ code }) => code === "rate_limited");
    expect(refused?.retryAfterMs).toBeWithin(1, 501);
  });

  test("has no event that has expired", async () => {
    const client = await connectNative(server.url);
    const after = positionOf(await client.subscribe("brief"));
    await server.toChannel("brief").push({ event: "e", data: 1 });
    await client.next("e");
    expect((await read(client, "brief", { after })).events).toHaveLength(1);
    await Bun.sleep(300);
    expect(await read(client, "brief", { after })).toMatchObject({ events: [], complete: false });
    expect(await read(client, "brief")).toMatchObject({ events: [], complete: false });
  });

  test("ends a page at 1 MiB, goes on with the next one, and gives what is larger alone", async () => {
    const wide = await startServer(
      { limits: { outboundBufferBytes: 3_000_000 } },
      { anonymous: true, channels: CHANNELS, limits: { ...LIMITS, eventDataBytes: 2_000_000 } },
    );
    const client = await connectNative(wide.url);
    const start = positionOf(await client.subscribe("kept-wide"));
    const sizes = [400_000, 400_000, 400_000, 1_500_000, 400_000];
    for (const size of sizes) await wide.toChannel("kept-wide").push({ event: "e", data: "x".repeat(size) });
    const lengths = async (bounds: Bounds) => {
      const page = await read(client, "kept-wide", bounds);
      expect(page.complete).toBe(true);
      return page.events.map(({ data }) => String(data).length);
    };
    const at = (offset: number) => ({ ...start, offset });
    expect(await lengths({ after: at(0) })).toEqual([400_000, 400_000]);
    expect(await lengths({ after: at(2) })).toEqual([400_000]);
    expect(await lengths({ after: at(3) })).toEqual([1_500_000]);
    expect(await lengths({ limit: 5 })).toEqual([400_000]);
    expect(await lengths({ limit: 3, before: at(5) })).toEqual([1_500_000]);
    expect(await lengths({ limit: 3, before: at(4) })).toEqual([400_000, 400_000]);
  });

  test("does not end a connection by an event that is larger than what may wait for it, but says so", async () => {
    const narrow = await startServer(
      { limits: { outboundBufferBytes: 20_000 } },
      { anonymous: true, channels: CHANNELS, limits: LIMITS },
    );
    const client = await connectNative(narrow.url);
    await narrow.toChannel("kept-a").push({ event: "e", data: "\u0001".repeat(9_000) });
    await narrow.toChannel("kept-a").push({ event: "e", data: 2 });
    const { epoch } = positionOf(await client.subscribe("kept-a"));
    const answer = await client.ask("history", { channel: "kept-a", after: { epoch, offset: 0 } });
    expect(answer).toMatchObject({ code: "data_too_large", channel: "kept-a" });
    expect((await read(client, "kept-a", { after: { epoch, offset: 1 } })).events).toHaveLength(1);
  });
});
