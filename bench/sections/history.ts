/** What it costs to keep what is published, by how much is kept: nobody is in the channels. */

import { KEPT } from "../credentials.ts";
import { type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const PER_TICK = 100;

export async function history({ rounds, forMs }: Effort): Promise<Table> {
  const rows = await withPairs(["pusher"], async ([pair]) => {
    if (!pair) return [];
    // What is kept moves only once there is as much as may be.
    for (const { channel, size } of KEPT) await burst(pair, channel, { forMs: 60_000, most: size });
    const results = await alternate(rounds, KEPT, ({ channel }) => burst(pair, channel, { forMs }));
    return results.map((mine, at) => [
      "Fanfare",
      whole(KEPT[at]?.size ?? 0),
      `${fixed(median(mine), 2)} µs`,
      at === 0 ? "" : times(ratio(mine, results[0] ?? [])),
    ]);
  });
  return {
    title: "History",
    note: "Publications to a channel that keeps the last ones in memory, without subscribers. The ratio is of CPU to the first row.",
    head: ["server", "kept", "CPU per publication", "ratio"],
    rows,
  };
}

/** CPU per publication, in microseconds. */
async function burst(pair: Pair, channel: string, end: { forMs: number; most?: number }): Promise<number> {
  let published = 0;
  const cpuUs = await pair.cpuUs(async () => {
    published = await pair.server.call("burst", { channel, perTick: PER_TICK, ...end });
  });
  return cpuUs / published;
}
