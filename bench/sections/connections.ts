/** What clients that come and go cost, and those that only stay. */

import { type Kind, NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "pusher", "native"];
/** Most connections that come and go in one measurement. */
const MAX_CROWD = 2_000;
/** What a server does once a second, it does this often while it is watched. */
const IDLE_SHARE = 5;
/** What clients that came last leave behind is done by then. */
const SETTLE_MS = 300;

export async function connections({ connections: counts, rounds, forMs }: Effort): Promise<Table> {
  const most = Math.max(...counts);
  return withPairs(KINDS, async (pairs) => {
    const idleEmpty = await alternate(rounds, pairs, (pair) => idleMsPerS(pair, forMs * IDLE_SHARE));
    const crowd = Math.min(MAX_CROWD, most);
    // A server is compiled with its first thousands.
    await alternate(rounds, pairs, (pair) => comeAndGo(pair, crowd));
    const each = await alternate(rounds, pairs, (pair) => comeAndGo(pair, crowd));
    for (const pair of pairs) await pair.open(most);
    await Bun.sleep(SETTLE_MS);
    const idleFull = await alternate(rounds, pairs, (pair) => idleMsPerS(pair, forMs * IDLE_SHARE));
    return {
      title: "Connections",
      note: "A client connects, subscribes to one channel and leaves; then the server with nobody, and with clients that say nothing. CPU is the server's own.",
      head: [
        "server",
        "connect, subscribe, close",
        "ratio",
        "at rest, 0 connections",
        `at rest, ${whole(most)}`,
        "ratio",
      ],
      rows: KINDS.map((kind, index) => {
        const [cycle = [], empty = [], full = []] = [each[index], idleEmpty[index], idleFull[index]];
        return [
          NAMES[kind],
          `${fixed(median(cycle), 1)} µs`,
          index === 0 ? "" : times(ratio(cycle, each[0] ?? [])),
          `${fixed(median(empty), 1)} ms/s`,
          `${fixed(median(full), 1)} ms/s`,
          index === 0 ? "" : times(ratio(full, idleFull[0] ?? [])),
        ];
      }),
    };
  });
}

/** CPU for each client, in microseconds. */
async function comeAndGo(pair: Pair, crowd: number): Promise<number> {
  const cpuUs = await pair.cpuUs(async () => {
    await pair.open(crowd);
    await pair.load.call("close");
    await Bun.sleep(SETTLE_MS);
  });
  return cpuUs / crowd;
}

async function idleMsPerS(pair: Pair, forMs: number): Promise<number> {
  const startMs = performance.now();
  const cpuUs = await pair.cpuUs(() => Bun.sleep(forMs));
  return cpuUs / (performance.now() - startMs);
}
