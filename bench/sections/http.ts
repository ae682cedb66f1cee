/** Signed HTTP triggers, beside a handler that only verifies them and publishes, and the cheapest that does. */

import { type Kind, NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "optimal", "pusher"];
/** With nobody in the channel the answers are all that is written; with readers it is as with the peers, a few back ends. */
export const NOBODY = { readers: 0, callers: 64 };
export const FEW = [1, 5, 15].map((readers) => ({ readers, callers: 4 }));
const PATIENCE_MS = 60_000;

export interface Setup {
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

async function measure(pair: Pair, setup: Setup, forMs: number): Promise<Result> {
  await gather(pair, setup);
  let answered = 0;
  const cpuUs = await pair.cpuUs(async () => {
    answered = await ask(pair, setup, forMs);
  });
  return { perSecond: (answered * 1000) / forMs, cpuUsEach: cpuUs / answered };
}

/** Readers that come anew each time, so that none answers for a channel that has more. */
export async function gather(pair: Pair, { readers }: Setup): Promise<void> {
  await pair.load.call("close");
  await pair.open(readers, pair.kind, channelFor(readers));
}

/** Until all that was published has arrived. Says how many were answered. */
export async function ask(pair: Pair, { readers, callers }: Setup, forMs: number): Promise<number> {
  await pair.load.call("reset");
  const request = readers === 0 ? {} : { request: { kind: "pusher" as const, channel: channelFor(readers) } };
  const { answered, refused } = await pair.load.call("trigger", { port: pair.port, callers, forMs, ...request });
  if (refused > 0) throw new Error(`${refused} triggers were refused.`);
  await pair.load.call("arrived", answered * readers, PATIENCE_MS);
  return answered;
}

function channelFor(readers: number): string {
  return `readers-${readers}`;
}
