/** What recovery costs: channels that keep what is published last, and readers in them that are sent positions. */

import { type Door, Pair } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

interface Setup {
  readonly name: string;
  readonly window: boolean;
  /** What the first half of the readers speaks, and the second. */
  readonly readers: readonly [Door, Door];
}

const SETUPS: readonly Setup[] = [
  { name: "off; readers without recovery", window: false, readers: ["pusher", "pusher"] },
  { name: "on; readers without recovery", window: true, readers: ["pusher", "pusher"] },
  { name: "on; half of the readers with recovery", window: true, readers: ["pusher", "recover"] },
  { name: "on; all readers with recovery", window: true, readers: ["recover", "recover"] },
];
const PER_TICK = 10;
const PATIENCE_MS = 60_000;

export async function recovery({ subscribers, rounds, forMs }: Effort): Promise<Table> {
  const rows: string[][] = [];
  for (const count of countsOf(subscribers)) rows.push(...(await rowsFor(count, rounds, forMs)));
  return {
    title: "Recovery",
    note: [
      "An app with its recovery window off and on, ten messages per tick in one channel, Pusher clients. The ratio is of CPU",
      "to the first row of the same number of readers. A frame with a position has 70 bytes more.",
    ].join("\n"),
    head: ["readers", "recovery window", "CPU per delivery", "CPU per publication", "ratio"],
    rows,
  };
}

async function rowsFor(count: number, rounds: number, forMs: number): Promise<string[][]> {
  const pairs = await Promise.all(SETUPS.map(({ window }) => Pair.start("pusher", configOf(window))));
  try {
    for (const [at, { readers }] of SETUPS.entries()) {
      const [first, second] = readers;
      await pairs[at]?.open(count / 2, first);
      await pairs[at]?.open(count, second);
    }
    await alternate(1, pairs, (pair) => burst(pair, count, forMs / 4));
    const results = await alternate(rounds, pairs, (pair) => burst(pair, count, forMs));
    const [off = []] = results;
    return results.map((cpuUs, at) => [
      whole(count),
      SETUPS[at]?.name ?? "",
      `${fixed(median(cpuUs), 2)} µs`,
      `${fixed(median(cpuUs) * count, 1)} µs`,
      at === 0 ? "" : times(ratio(cpuUs, off)),
    ]);
  } finally {
    await Promise.all(pairs.map((pair) => pair.end()));
  }
}

/** Two readers show what a publication costs, a thousand what a delivery does. */
function countsOf(subscribers: readonly number[]): readonly number[] {
  return [2, Math.min(1_000, Math.max(...subscribers))];
}

function configOf(enabled: boolean): object {
  return { defaults: { recovery: { enabled } } };
}

/** CPU per delivery, in microseconds. */
async function burst(pair: Pair, readers: number, forMs: number): Promise<number> {
  await pair.load.call("reset");
  let frames = 0;
  const cpuUs = await pair.cpuUs(async () => {
    frames = readers * (await pair.server.call("burst", { perTick: PER_TICK, forMs }));
    await pair.load.call("arrived", frames, PATIENCE_MS);
  });
  return cpuUs / frames;
}
