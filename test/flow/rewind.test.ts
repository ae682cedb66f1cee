/** Rewind: what a new subscriber gets of the past where it has no position, or cannot go on from it. */

import { describe, expect, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { connectNative, type NativeTestClient } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";

const RULES = [
  { match: "room", history: { size: 50, ttlS: 60 } },
  { match: "small", history: { size: 5, ttlS: 60 } },
  { match: "ruled", history: {}, rewind: { count: 3 } },
  { match: "never", history: { size: 1, ttlS: 60 } },
];

const start = () => startServer({}, { anonymous: true, channels: RULES, limits: { subscribesPerSecond: 10_000 } });

const push = async (server: Server, channel: string, from: number, to: number) => {
  for (let n = from; n <= to; n++) await server.toChannel(channel).push({ event: "e", data: n });
};

const dataOf = async (client: NativeTestClient) =>
  (await client.unread()).flatMap(({ event, data }) => (event === "e" ? (data as unknown as number) : []));

async function subscribed(server: Server, channel: string, wanted: object) {
  const client = await connectNative(server.url);
  const answer = await client.subscribe(channel, wanted);
  return { client, answer, data: await dataOf(client) };
}

describe("rewind", () => {
  test("by count brings the last events, and says how many, and whether there were so many", async () => {
    const server = await start();
    await push(server, "room", 1, 9);
    const some = await subscribed(server, "room", { rewind: { count: 4 } });
    expect(some.answer).toMatchObject({ position: { offset: 5 }, rewound: 4, complete: true });
    expect(some.data).toEqual([6, 7, 8, 9]);
    const all = await subscribed(server, "room", { rewind: { count: 40 } });
    expect([all.answer.rewound, all.answer.complete, all.data.length]).toEqual([9, true, 9]);
    await push(server, "small", 1, 9);
    const fewer = await subscribed(server, "small", { rewind: { count: 8 } });
    expect([fewer.answer.rewound, fewer.answer.complete, fewer.data]).toEqual([5, false, [5, 6, 7, 8, 9]]);
  });

  test("by time brings what was published since", async () => {
    const server = await start();
    await push(server, "room", 1, 3);
    await Bun.sleep(1_100);
    await push(server, "room", 4, 5);
    const { answer, data } = await subscribed(server, "room", { rewind: { seconds: 1 } });
    expect([data.filter((n) => n > 3), answer.complete]).toEqual([[4, 5], true]);
    const longer = await subscribed(server, "room", { rewind: { seconds: 600 } });
    expect([longer.answer.rewound, longer.answer.complete]).toEqual([5, true]);
  });

  test("is what happens where recovery fails, without what the client is known to have", async () => {
    const server = await start();
    await push(server, "small", 1, 9);
    const { position } = await server.history("small", { limit: 0 });
    const rewind = { count: 4 };
    const recovered = await subscribed(server, "small", { position: { ...position, offset: 7 }, rewind });
    expect([recovered.answer.recovered, recovered.answer.rewound, recovered.data]).toEqual([true, undefined, [8, 9]]);
    const lost = await subscribed(server, "small", { position: { ...position, offset: 2 }, rewind });
    expect([lost.answer.recovered, lost.answer.rewound, lost.data]).toEqual([false, 4, [6, 7, 8, 9]]);
    const other = await subscribed(server, "small", { position: { epoch: "other", offset: 8 }, rewind });
    expect([other.answer.recovered, other.answer.rewound, other.data]).toEqual([false, 4, [6, 7, 8, 9]]);
  });

  test("passes over what was purged, and counts it not", async () => {
    const server = await start();
    await push(server, "room", 1, 6);
    const { position } = await server.history("room", { limit: 0 });
    await server.purgeHistory("room", { event: { ...position, offset: 5 } });
    const { answer, data } = await subscribed(server, "room", { rewind: { count: 3 } });
    expect([answer.rewound, answer.complete, data]).toEqual([3, true, [3, 4, 6]]);
  });

  test("meets what is published meanwhile, for many at once: nothing twice, nothing missing", async () => {
    const server = await start();
    await push(server, "room", 1, 10);
    const written = push(server, "room", 11, 40);
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => subscribed(server, "room", { rewind: { count: 5 } })),
    );
    await written;
    for (const { client } of clients) {
      const data = await dataOf(client);
      expect(data.length).toBeGreaterThanOrEqual(5);
      expect(data).toEqual(Array.from({ length: data.length }, (_, n) => 40 - data.length + 1 + n));
    }
  });

  test("of a channel's rule is for clients of any protocol that say nothing themselves", async () => {
    const server = await start();
    await push(server, "ruled", 1, 5);
    const pusher = await connectPusher(server.url);
    await pusher.subscribe("ruled");
    for (const n of [3, 4, 5]) expect(await pusher.socket.next("e")).toMatchObject({ data: String(n) });
    const native = await subscribed(server, "ruled", {});
    expect([native.answer.rewound, native.data]).toEqual([3, [3, 4, 5]]);
    const own = await subscribed(server, "ruled", { rewind: { count: 1 } });
    expect(own.data).toEqual([5]);
    await push(server, "ruled", 6, 6);
    expect(await pusher.socket.next("e")).toMatchObject({ data: "6" });
  });

  test("that is neither a count nor a time is refused", async () => {
    const server = await start();
    const client = await connectNative(server.url);
    for (const rewind of [{}, { count: 0 }, { count: 1_001 }, { seconds: -1 }, { count: 1, seconds: 1 }, 5]) {
      expect(await client.ask("subscribe", { channel: "room", rewind })).toMatchObject({ code: "malformed" });
    }
  });
});
