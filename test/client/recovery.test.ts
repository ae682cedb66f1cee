/** What a client hears over broken connections, against the real server: everything once and in order, or a gap. */

import { describe, expect, test } from "bun:test";
import { type Gap, iterate, type Meta } from "../../packages/client/src/index.ts";
import { sleep } from "../../packages/server/testing/eventually.ts";
import { eventually } from "../support/eventually.ts";
import { trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { startWorld } from "./server-world.ts";

const world = await startWorld();

/** A sequence of numbers that looks like chance and is the same for a seed. */
function chanceOf(seed: number): () => number {
  let state = seed + 0x6d2b79f5;
  return () => {
    state = Math.imul(state ^ (state >>> 15), state | 1);
    state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
    return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One run: lines are cut at any moment while both sides publish. */
async function run(seed: number): Promise<void> {
  const chance = chanceOf(seed);
  const channel = `kept-${seed}`;
  const [writer, reader] = [world.client(), world.client()];
  const heard = new Map<string, number[]>([
    ["writer", []],
    ["reader", []],
  ]);
  const gaps: Gap[] = [];
  for (const [name, client] of [
    ["writer", writer],
    ["reader", reader],
  ] as const) {
    client.channel(channel).on("n", (n: number) => heard.get(name)?.push(n));
    client.channel(channel).onGap((gap) => gaps.push(gap));
  }
  await eventually(() => {
    for (const client of [writer, reader]) expect(client.channel(channel).snapshot.state).toBe("attached");
  });
  const count = 12;
  const cuts = (async () => {
    for (let n = 0; n < 4; n++) {
      await sleep(chance() * 40);
      world.cut();
    }
  })();
  const sent: Promise<unknown>[] = [];
  for (let n = 0; n < count; n++) {
    // Of the writer the even ones, of the reader the odd ones.
    sent.push((n % 2 === 0 ? writer : reader).channel(channel).publish("n", n));
    if (chance() < 0.4) await sleep(chance() * 15);
  }
  await Promise.all([...sent, cuts]);
  const evens = Array.from({ length: count / 2 }, (_, n) => 2 * n);
  await eventually(() => {
    expect(heard.get("reader")).toEqual(evens);
    expect(heard.get("writer")).toEqual(evens.map((n) => n + 1));
  });
  expect(gaps).toEqual([]);
  writer.close();
  reader.close();
}

describe("behind a line that is cut at any moment", () => {
  test(`every event is heard once and in order, and its own by nobody (${scaled(1_000, 24)} seeds)`, async () => {
    const seeds = Array.from({ length: scaled(1_000, 24) }, (_, seed) => seed);
    // A few at a time share the line, and so its cuts.
    for (let first = 0; first < seeds.length; first += 4) await Promise.all(seeds.slice(first, first + 4).map(run));
  }, 3_600_000);
});

describe("a reader that comes back", () => {
  test("hears what it missed as replayed, and what is new as new", async () => {
    const reader = world.client();
    const heard: [unknown, boolean][] = [];
    const room = reader.channel("kept-replayed");
    room.on("n", (n: number, { replayed }: Meta) => heard.push([n, replayed]));
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    world.proxy.cut();
    await world.publish("kept-replayed", "n", 1);
    await world.publish("kept-replayed", "n", 2);
    world.proxy.mend();
    await eventually(() => expect(heard).toHaveLength(2));
    await eventually(() => expect(room.snapshot).toEqual({ state: "attached", recovered: true }));
    await reader.channel("kept-replayed").publish("other", 0);
    await world.publish("kept-replayed", "n", 3);
    await eventually(() =>
      expect(heard).toEqual([
        [1, true],
        [2, true],
        [3, false],
      ]),
    );
    expect(room.position?.offset).toBe(4);
  });

  test("does not hear what a back end sent to all but it, from whichever of its connections it was excepted", async () => {
    const [reader, other] = [world.client(), world.directClient()];
    const [heard, all]: [number[], number[]] = [[], []];
    reader.channel("kept-others").on("n", (n: number) => heard.push(n));
    other.channel("kept-others").on("n", (n: number) => all.push(n));
    await eventually(() => {
      for (const it of [reader, other]) expect(it.channel("kept-others").snapshot.state).toBe("attached");
    });
    const first = reader.snapshot.id ?? "";
    const toOthers = (n: number, id: string) =>
      trigger(world.url, APP, { name: "n", channel: "kept-others", data: String(n), socket_id: id });
    await toOthers(0, first);
    for (const n of [1, 3]) {
      world.proxy.cut();
      await toOthers(n, first);
      await world.publish("kept-others", "n", n + 1);
      world.proxy.mend();
      await eventually(() => expect(heard.at(-1)).toBe(n + 1));
    }
    expect([heard, all]).toEqual([
      [2, 4],
      [0, 1, 2, 3, 4],
    ]);
  });

  test.each([
    ["kept-", "unrecoverable", "short-gone"],
    ["", "no-history", "plain"],
  ] as const)("is told of a gap where %ssomething is lost for good: %s", async (_kind, reason, channel) => {
    const reader = world.client();
    const room = reader.channel(channel);
    const gaps: Gap[] = [];
    const heard: number[] = [];
    room.on("n", (n: number) => heard.push(n));
    room.onGap((gap) => gaps.push(gap));
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    world.proxy.cut();
    for (let n = 0; n < 8; n++) await world.publish(channel, "n", n);
    world.proxy.mend();
    await eventually(() => expect(gaps).toEqual([{ reason }]));
    await world.publish(channel, "n", 99);
    await eventually(() => expect(heard).toEqual([99]));
  });
});

describe("what came before", () => {
  test("is delivered first to a listener that rewinds, to it alone, and nothing twice", async () => {
    for (let n = 0; n < 5; n++) await world.publish("kept-before", "n", n);
    const reader = world.client();
    const room = reader.channel("kept-before");
    const [plain, rewound, since]: number[][] = [[], [], []];
    room.on("n", (n: number) => plain?.push(n));
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    const position = room.position;
    await world.publish("kept-before", "n", 5);
    await eventually(() => expect(plain).toEqual([5]));
    room.on("n", (n: number) => rewound?.push(n), { rewind: true });
    if (position) room.on("n", (n: number) => since?.push(n), { since: { ...position, offset: 2 } });
    await world.publish("kept-before", "n", 6);
    await eventually(() => {
      expect(rewound).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect(since).toEqual([2, 3, 4, 5, 6]);
      expect(plain).toEqual([5, 6]);
    });
  });

  test("is in the first subscription where that is all that anybody wants", async () => {
    for (let n = 0; n < 3; n++) await world.publish("kept-first", "n", n);
    const heard: [number, boolean][] = [];
    world
      .client()
      .channel("kept-first")
      .on("n", (n: number, { replayed }) => heard.push([n, replayed]), { rewind: true });
    await eventually(() => expect(heard).toEqual([0, 1, 2].map((n) => [n, true])));
  });

  test("is as much as a listener wants, by count or by time, with the first subscription and later", async () => {
    for (let n = 0; n < 5; n++) await world.publish("kept-last", "n", n);
    const [by, late]: number[][] = [[], []];
    const room = world.client().channel("kept-last");
    room.on("n", (n: number, { replayed }) => by?.push(replayed ? n : -n), { rewind: { count: 2 } });
    await eventually(() => expect(by).toEqual([3, 4]));
    expect(room.snapshot).toMatchObject({ state: "attached", rewound: 2, complete: true });
    room.on("n", (n: number) => late?.push(n), { rewind: { count: 3 } });
    await eventually(() => expect(late).toEqual([2, 3, 4]));
    const timed = world.client().channel("kept-last");
    const heard: number[] = [];
    timed.on("n", (n: number) => heard.push(n), { rewind: { seconds: 600 } });
    await eventually(() => expect(heard).toEqual([0, 1, 2, 3, 4]));
    expect(timed.snapshot).toMatchObject({ rewound: 5, complete: true });
    await world.publish("kept-last", "n", 5);
    await eventually(() => expect([by, late, heard].map((list) => list?.at(-1))).toEqual([-5, 5, 5]));
  });

  test.each([
    [{ count: 2 }, [7, 8]],
    [true, [4, 5, 6, 7, 8]],
  ] as const)(
    "comes by rewind (%j) where a recovery fails, after the gap, and without what was heard",
    async (rewind, missed) => {
      const name = `short-rewound-${missed.length}`;
      const room = world.client().channel(name);
      const heard: unknown[] = [];
      room.on("n", (n: number) => heard.push(n), { rewind });
      room.onGap(({ reason }) => heard.push(reason));
      // Whoever begins anew because of the gap has each once, too.
      const anew: number[] = [];
      room.onGap(() => void room.on("n", (n: number) => anew.push(n), { rewind: true }));
      await eventually(() => expect(room.snapshot.state).toBe("attached"));
      await world.publish(name, "n", 0);
      await eventually(() => expect(heard).toEqual([0]));
      world.proxy.cut();
      for (let n = 1; n < 9; n++) await world.publish(name, "n", n);
      world.proxy.mend();
      await eventually(() => expect(heard).toEqual([0, "unrecoverable", ...missed]));
      expect(room.snapshot).toMatchObject({ recovered: false, rewound: missed.length, complete: rewind !== true });
      await world.publish(name, "n", 9);
      await eventually(() => expect([heard.at(-1), anew]).toEqual([9, [4, 5, 6, 7, 8, 9]]));
    },
  );

  test("and is kept no more is a gap for a listener that begins at a position", async () => {
    for (let n = 0; n < 8; n++) await world.publish("short-since", "n", n);
    const reader = world.client();
    const room = reader.channel("short-since");
    room.hold();
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    const gaps: Gap[] = [];
    room.onGap((gap) => gaps.push(gap));
    const { epoch = "" } = room.position ?? {};
    room.on("n", () => {}, { since: { epoch, offset: 1 } });
    await eventually(() => expect(gaps).toEqual([{ reason: "unrecoverable" }]));
    expect(room.snapshot.state).toBe("attached");
  });

  test("survives a cut while it is read", async () => {
    for (let n = 0; n < 50; n++) await world.publish("kept-cut", "n", n);
    const reader = world.client();
    const room = reader.channel("kept-cut");
    room.hold();
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    const heard: number[] = [];
    room.on("n", (n: number) => heard.push(n), { rewind: true });
    world.cut();
    await world.publish("kept-cut", "n", 50);
    await eventually(() => expect(heard).toEqual(Array.from({ length: 51 }, (_, n) => n)));
  });
});

describe("events as an iterable", () => {
  test("are all there, over a cut too, and end with the loop", async () => {
    const reader = world.client();
    const room = reader.channel("kept-iterated");
    const heard: unknown[] = [];
    const reading = (async () => {
      for await (const { data } of iterate(room, "n")) if (heard.push(data) === 3) break;
    })();
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    await world.publish("kept-iterated", "n", 0);
    world.cut();
    await world.publish("kept-iterated", "n", 1);
    await world.publish("kept-iterated", "n", 2);
    await reading;
    expect(heard).toEqual([0, 1, 2]);
    await eventually(() => expect(room.snapshot.state).toBe("detached"));
  });
});
