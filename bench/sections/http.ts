/** Signed HTTP triggers, beside a handler that only verifies them and publishes, and the cheapest that does. */

import { type Kind, NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "optimal", "pusher"];
/** With nobody in the channel the answers are all that is written; with readers it is as with the peers, a few back ends. */
const NOBODY = { readers: 0, callers: 64 };
const FEW = [1, 5, 15].map((readers) => ({ readers, callers: 4 }));
const PATIENCE_MS = 60_000;

interface Setup {
  readonly readers: number;
  readonly callers: number;
}

interface Result {
  readonly perSecond: number;
  readonly cpuUsEach: number;
}

export async function http({ rounds, forMs }: Effort): Promise<Table> {
  const rows = await withPairs(KINDS, async (pairs) => {
    const all: string[][] = [];
    for (const setup of [NOBODY, ...FEW]) {
      await alternate(1, pairs, (pair) => measure(pair, setup, forMs));
      const results = await alternate(rounds, pairs, (pair) => measure(pair, setup, forMs * 2));
      const [bare = [], optimal = []] = results.map((mine) => mine.map((one) => one.cpuUsEach));
      for (const [index, mine] of results.entries()) {
        const cpu = mine.map((one) => one.cpuUsEach);
        all.push([
          whole(setup.readers),
          NAMES[KINDS[index] ?? "bare"],
          whole(median(mine.map((one) => one.perSecond))),
          `${fixed(median(cpu), 1)} µs`,
          index === 0 ? "" : times(ratio(cpu, bare)),
          index < 2 ? "" : times(ratio(cpu, optimal)),
        ]);
      }
    }
    return all;
  });
  return {
    title: "Signed HTTP triggers",
    note: [
      `One request at a time on each connection, which is kept alive: ${NOBODY.callers} connections with nobody subscribed, ${FEW[0]?.callers} with readers.`,
      "CPU is that of the server for a call and its deliveries; the first ratio is to bare Bun.",
    ].join("\n"),
    head: ["readers", "server", "triggers/s", "CPU per trigger", "ratio", "to optimal"],
    rows,
  };
}

/** Readers that come anew each time, so that none answers for a channel that has more. */
async function measure(pair: Pair, { readers, callers }: Setup, forMs: number): Promise<Result> {
  const channel = `readers-${readers}`;
  await pair.load.call("close");
  await pair.open(readers, pair.kind, channel);
  await pair.load.call("reset");
  let answered = 0;
  const request = readers === 0 ? {} : { request: { kind: "pusher" as const, channel } };
  const cpuUs = await pair.cpuUs(async () => {
    const called = await pair.load.call("trigger", { port: pair.port, callers, forMs, ...request });
    if (called.refused > 0) throw new Error(`${called.refused} triggers were refused.`);
    answered = called.answered;
    await pair.load.call("arrived", answered * readers, PATIENCE_MS);
  });
  return { perSecond: (answered * 1000) / forMs, cpuUsEach: cpuUs / answered };
}
