/** What clients that come and go cost. */

import { type Kind, NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "pusher", "native"];
/** Most connections that come and go in one measurement. */
const MAX_CROWD = 2_000;
/** What clients that came last leave behind is done by then. */
const SETTLE_MS = 300;

export async function connections({ connections: counts, rounds }: Effort): Promise<Table> {
  const crowd = Math.min(MAX_CROWD, Math.max(...counts));
  const each = await withPairs(KINDS, async (pairs) => {
    // A server is compiled with its first thousands.
    await alternate(rounds, pairs, (pair) => cpuUsEach(pair, crowd));
    return alternate(rounds, pairs, (pair) => cpuUsEach(pair, crowd));
  });
  return {
    title: "Connections",
    note: "A client connects, subscribes to one channel and leaves. CPU is the server's own.",
    head: ["server", "connect, subscribe, close", "ratio"],
    rows: KINDS.map((kind, index) => [
      NAMES[kind],
      `${fixed(median(each[index] ?? []), 1)} µs`,
      index === 0 ? "" : times(ratio(each[index] ?? [], each[0] ?? [])),
    ]),
  };
}

/** CPU for each client, in microseconds. */
async function cpuUsEach(pair: Pair, crowd: number): Promise<number> {
  return (await pair.cpuUs(() => comeAndGo(pair, crowd))) / crowd;
}

export async function comeAndGo(pair: Pair, crowd: number): Promise<void> {
  await pair.open(crowd);
  await pair.load.call("close");
  await Bun.sleep(SETTLE_MS);
}
