/** Client events: what one client says, received by the server and delivered to the one other client in the channel. */

import { type Kind, NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "optimal", "pusher", "native"];
const CLIENTS = 200;
const WINDOWS = [1, 10];
const CHANNEL = "pair-{pair}";

interface Result {
  readonly perSecond: number;
  readonly cpuUsEach: number;
}

export async function client({ rounds, forMs }: Effort): Promise<Table> {
  const rows: string[][] = [];
  for (const window of WINDOWS) {
    await withPairs(KINDS, async (pairs) => {
      for (const pair of pairs) await meet(pair);
      await alternate(1, pairs, (pair) => measure(pair, window, forMs));
      const results = await alternate(rounds, pairs, (pair) => measure(pair, window, forMs * 2));
      const bare = results[0]?.map((one) => one.cpuUsEach) ?? [];
      rows.push(...results.map((mine, index) => rowOf(window, KINDS[index] ?? "bare", mine, bare)));
    });
  }
  return {
    title: "Client events",
    note: `${CLIENTS} clients, two in each channel; each answers every event with one of its own. The ratio is of CPU per event.`,
    head: ["in flight per client", "server", "events/s", "CPU per event", "ratio"],
    rows,
  };
}

async function measure(pair: Pair, window: number, forMs: number): Promise<Result> {
  let came = 0;
  const cpuUs = await pair.cpuUs(async () => {
    came = await exchange(pair, window, forMs);
  });
  // What is still on its way would count into the next round.
  await Bun.sleep(SETTLE_MS);
  return { perSecond: (came * 1000) / forMs, cpuUsEach: cpuUs / came };
}

const SETTLE_MS = 200;

export function meet(pair: Pair): Promise<void> {
  return pair.open(CLIENTS, pair.kind, CHANNEL);
}

/** So many events of each client are on their way at any time. Says how many came. */
export function exchange(pair: Pair, window: number, forMs: number): Promise<number> {
  return pair.load.call("echo", JSON.stringify(frameFor(pair.kind)), window, forMs);
}

function frameFor(kind: Kind): object {
  const data = { text: "hello, here I am" };
  if (kind === "native") return { event: "publish", data: { channel: CHANNEL, event: "client-hello", data } };
  return { event: "client-hello", channel: CHANNEL, data };
}

function rowOf(window: number, kind: Kind, results: readonly Result[], bare: readonly number[]): string[] {
  const cpu = results.map((one) => one.cpuUsEach);
  return [
    String(window),
    NAMES[kind],
    whole(median(results.map((one) => one.perSecond))),
    `${fixed(median(cpu), 2)} µs`,
    kind === "bare" ? "" : times(ratio(cpu, bare)),
  ];
}
