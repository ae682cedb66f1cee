/** What `fanout.holdMs` does to latency and CPU: messages at an even pace, held and not. */

import type { Delays } from "../load.ts";
import { Pair } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";
import { publish } from "./fanout.ts";

interface Load {
  /** Undefined: one message in each turn of the event loop, as fast as that goes. */
  readonly perSecond?: number;
  readonly readers: number;
}

/** As many readers as the machine can send to at that pace, and few. */
const LOADS: readonly Load[] = [
  { perSecond: 200, readers: 100 },
  { perSecond: 2_000, readers: 10 },
  { perSecond: 2_000, readers: 100 },
  { perSecond: 20_000, readers: 1 },
  { perSecond: 20_000, readers: 5 },
  { readers: 1 },
  { readers: 10 },
];
const NAMES = ["bare Bun", "Fanfare, holdMs 0", "Fanfare, holdMs 1"];
const PATIENCE_MS = 30_000;

interface Measured {
  readonly cpuUsEach: number;
  /** Where they went at a pace. */
  readonly delays?: Delays;
}

export async function held({ rounds, forMs }: Effort): Promise<Table> {
  const rows: string[][] = [];
  for (const load of LOADS) {
    const pairs = await Promise.all([Pair.start("bare"), ...[0, 1].map((ms) => Pair.start("pusher", holding(ms)))]);
    try {
      const ports = new Map<Pair, number>();
      for (const pair of pairs) {
        await pair.open(load.readers);
        ports.set(pair, await pair.server.call("listenForPulses"));
      }
      const take = (pair: Pair, ms: number) => measure(pair, ports.get(pair) ?? 0, load, ms);
      await alternate(1, pairs, (pair) => take(pair, forMs));
      const results = await alternate(rounds, pairs, (pair) => take(pair, forMs * 3));
      rows.push(...results.map((mine, index) => rowOf(load, NAMES[index] ?? "", mine, results[0] ?? [])));
    } finally {
      await Promise.all(pairs.map((pair) => pair.end()));
    }
  }
  return {
    title: "Held writes",
    note: "Messages at an even pace, from the byte that asks for each to the frame's arrival in the process that sent the byte. Flat out is one message in each turn of the server's event loop. The ratio is of CPU.",
    head: ["messages/s", "readers", "server", "p50", "p99", "CPU per message", "ratio"],
    rows,
  };
}

function holding(holdMs: number): object {
  return { fanout: { holdMs } };
}

async function measure(pair: Pair, port: number, { perSecond, readers }: Load, forMs: number): Promise<Measured> {
  if (perSecond === undefined) {
    let published = 0;
    const burstUs = await pair.cpuUs(async () => {
      published = await publish(pair, readers, 1, forMs);
    });
    return { cpuUsEach: burstUs / published };
  }
  const messages = Math.max(1, Math.round((perSecond * forMs) / 1000));
  await pair.load.call("record", messages);
  let sentAtMs: number[] = [];
  const cpuUs = await pair.cpuUs(async () => {
    sentAtMs = await pair.load.call("pulse", { port, perSecond, messages });
    await pair.load.call("arrived", messages * readers, PATIENCE_MS);
  });
  return { delays: await pair.load.call("delaysMs", sentAtMs), cpuUsEach: cpuUs / messages };
}

function rowOf(
  { perSecond, readers }: Load,
  name: string,
  mine: readonly Measured[],
  bare: readonly Measured[],
): string[] {
  const delay = (key: keyof Delays) => {
    const ms = mine.flatMap(({ delays }) => delays?.[key] ?? []);
    return ms.length === 0 ? "" : `${fixed(median(ms), 2)} ms`;
  };
  const cpu = (all: readonly Measured[]) => all.map(({ cpuUsEach }) => cpuUsEach);
  return [
    perSecond === undefined ? "flat out" : whole(perSecond),
    whole(readers),
    name,
    delay("p50"),
    delay("p99"),
    `${fixed(median(cpu(mine)), 1)} µs`,
    mine === bare ? "" : times(ratio(cpu(mine), cpu(bare))),
  ];
}
