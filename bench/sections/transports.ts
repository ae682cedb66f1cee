/** What a reader costs that comes by HTTP, because no WebSocket gets through to it, beside one with a WebSocket. */

import { OUTBOUND_BYTES } from "../credentials.ts";
import type { HttpTransport } from "../http-readers.ts";
import { Pair } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

interface Kind {
  readonly name: string;
  readonly by: HttpTransport | "pusher" | "native";
  /** The WebSocket of the same protocol. */
  readonly base: number;
}

const KINDS: readonly Kind[] = [
  { name: "Pusher: WebSocket", by: "pusher", base: 0 },
  { name: "Pusher: xhr_streaming", by: "xhr_streaming", base: 0 },
  { name: "Pusher: xhr_polling", by: "xhr_polling", base: 0 },
  { name: "native: WebSocket", by: "native", base: 3 },
  { name: "native: stream", by: "stream", base: 3 },
  { name: "native: poll", by: "poll", base: 3 },
  { name: "one-way: events", by: "events", base: 3 },
];

const READERS = 100;
/** So that a poll has one message to tell, not what gathered while the one before was answered. */
const PER_SECOND = 50;
/** So many at rest: HTTP requests are two files each at times. */
const MOST_AT_REST = 10_000;
/** So that what the first connection brings into memory is not counted as its own. */
const FIRST = 50;
const PATIENCE_MS = 60_000;
/** Readers over HTTP answer no pings, and wait long for their turn. */
const PATIENT = { activityTimeoutS: 3_600, limits: { outboundBufferBytes: OUTBOUND_BYTES, readerLagS: 3_600 } };

export async function transports(effort: Effort): Promise<Table> {
  const { subscribers, connections, rounds } = effort;
  const readers = Math.min(READERS, Math.max(...subscribers));
  const atRest = Math.min(MOST_AT_REST, Math.max(...connections));
  const { single, lumps } = await deliveries(readers, effort);
  const bytes = await alternate(Math.ceil(rounds / 2), KINDS, (kind) => bytesEach(kind, atRest));
  return {
    title: "Transports",
    note: [
      `CPU of the server for each delivery to ${readers} readers: of ${PER_SECOND} messages a second, so that a poll brings one, and of ten in each tick, as`,
      `fast as it goes, so that a poll brings many. Then resident memory for each of ${whole(atRest)} connections at rest. Each ratio is to`,
      "the WebSocket of the same protocol in the same round.",
    ].join("\n"),
    head: ["transport", "one by one", "ratio", "ten in a tick", "ratio", "at rest", "ratio"],
    rows: KINDS.map(({ name, base }, at) => {
      const cells = (all: readonly number[][], text: (value: number) => string) => {
        const mine = all[at] ?? [];
        return [text(median(mine)), base === at ? "" : times(ratio(mine, all[base] ?? []))];
      };
      const us = (value: number) => `${fixed(value, 2)} µs`;
      return [name, ...cells(single, us), ...cells(lumps, us), ...cells(bytes, (value) => `${whole(value)} B`)];
    }),
  };
}

/** A server for each, all at once, which take turns. */
async function deliveries(readers: number, { rounds, forMs }: Effort): Promise<Record<"single" | "lumps", number[][]>> {
  const pairs = await Promise.all(KINDS.map(() => Pair.start("native", PATIENT)));
  const contenders = KINDS.map((kind, at) => ({ kind, pair: pairs[at] as Pair }));
  try {
    for (const { kind, pair } of contenders) await open(pair, kind, readers);
    const messages = Math.max(5, Math.round((forMs * 2 * PER_SECOND) / 1000));
    const one = ({ pair }: (typeof contenders)[number]) =>
      cpuUsEach(pair, readers, async () => {
        await pair.server.call("steady", { perSecond: PER_SECOND, messages });
        return messages;
      });
    const many = ({ pair }: (typeof contenders)[number], ms: number) =>
      cpuUsEach(pair, readers, () => pair.server.call("burst", { perTick: 10, forMs: ms }));
    await alternate(1, contenders, (each) => many(each, forMs / 2));
    const lumps = await alternate(rounds, contenders, (each) => many(each, forMs));
    const single = await alternate(rounds, contenders, one);
    return { single, lumps };
  } finally {
    await Promise.all(pairs.map((pair) => pair.end()));
  }
}

async function cpuUsEach(pair: Pair, readers: number, publish: () => Promise<number>): Promise<number> {
  await pair.load.call("reset");
  let frames = 0;
  const cpuUs = await pair.cpuUs(async () => {
    frames = readers * (await publish());
    await pair.load.call("arrived", frames, PATIENCE_MS);
  });
  return cpuUs / frames;
}

/** A fresh server each time: what an earlier run has freed would be used again and not be seen. */
async function bytesEach(kind: Kind, count: number): Promise<number> {
  const pair = await Pair.start("native", PATIENT);
  try {
    await open(pair, kind, FIRST);
    const empty = await pair.server.call("residentBytes");
    await open(pair, kind, count);
    return ((await pair.server.call("residentBytes")) - empty) / (count - FIRST);
  } finally {
    await pair.end();
  }
}

async function open(pair: Pair, { by }: Kind, count: number): Promise<void> {
  if (by === "pusher" || by === "native") {
    return pair.open(count, by);
  }
  await pair.openHttp(by, count);
}
