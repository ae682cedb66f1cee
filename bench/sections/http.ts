/** Signed HTTP triggers, beside a handler that only parses and verifies them. */

import { NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const CALLERS = 64;

interface Result {
  readonly perSecond: number;
  readonly cpuUsEach: number;
}

export async function http({ rounds, forMs }: Effort): Promise<Table> {
  const rows = await withPairs(["bare", "pusher"], async (pairs) => {
    await alternate(1, pairs, (pair) => measure(pair, forMs));
    const results = await alternate(rounds, pairs, (pair) => measure(pair, forMs * 2));
    const bare = results[0]?.map((one) => one.perSecond) ?? [];
    return results.map((mine, index) => {
      const perSecond = mine.map((one) => one.perSecond);
      return [
        index === 0 ? `${NAMES.bare}, parses and verifies` : "Fanfare",
        whole(median(perSecond)),
        `${fixed(median(mine.map((one) => one.cpuUsEach)), 1)} µs`,
        index === 0 ? "" : times(ratio(perSecond, bare)),
      ];
    });
  });
  return {
    title: "Signed HTTP triggers",
    note: `${CALLERS} connections kept alive, one request at a time on each, nobody subscribed. The ratio is of triggers per second.`,
    head: ["server", "triggers/s", "CPU per trigger", "ratio"],
    rows,
  };
}

async function measure(pair: Pair, forMs: number): Promise<Result> {
  let answered = 0;
  const cpuUs = await pair.cpuUs(async () => {
    const called = await pair.load.call("trigger", { port: pair.port, callers: CALLERS, forMs });
    if (called.refused > 0) throw new Error(`${called.refused} triggers were refused.`);
    answered = called.answered;
  });
  return { perSecond: (answered * 1000) / forMs, cpuUsEach: cpuUs / answered };
}
