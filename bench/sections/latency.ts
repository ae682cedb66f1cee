/** Latency from publishing to receiving, at a rate that leaves the machine air. */

import type { Delays } from "../load.ts";
import { type Kind, NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "pusher", "native"];
const DELIVERIES_PER_SECOND = 20_000;
const SUBSCRIBERS = [100, 1_000];
const PATIENCE_MS = 30_000;

export async function latency({ rounds, forMs }: Effort): Promise<Table> {
  const rows: string[][] = [];
  await withPairs(KINDS, async (pairs) => {
    for (const subscribers of SUBSCRIBERS) {
      for (const pair of pairs) await pair.open(subscribers);
      await alternate(1, pairs, (pair) => measure(pair, subscribers, forMs));
      const results = await alternate(rounds, pairs, (pair) => measure(pair, subscribers, forMs * 3));
      rows.push(...results.map((mine, index) => rowOf(subscribers, KINDS[index] ?? "bare", mine, results[0] ?? [])));
    }
  });
  return {
    title: `Latency at ${whole(DELIVERIES_PER_SECOND)} deliveries per second`,
    note: "From the call that publishes to the frame's arrival in the other process, over all subscribers. The ratio is of p99.",
    head: ["subscribers", "messages/s", "server", "p50", "p99", "ratio"],
    rows,
  };
}

async function measure(pair: Pair, subscribers: number, forMs: number): Promise<Delays> {
  const perSecond = DELIVERIES_PER_SECOND / subscribers;
  const messages = Math.max(1, Math.round((perSecond * forMs) / 1000));
  await pair.load.call("record", messages);
  const publishedAtMs = await pair.server.call("steady", { perSecond, messages });
  await pair.load.call("arrived", messages * subscribers, PATIENCE_MS);
  return pair.load.call("delaysMs", publishedAtMs);
}

function rowOf(subscribers: number, kind: Kind, mine: readonly Delays[], bare: readonly Delays[]): string[] {
  const p99 = mine.map((one) => one.p99);
  return [
    whole(subscribers),
    whole(DELIVERIES_PER_SECOND / subscribers),
    NAMES[kind],
    `${fixed(median(mine.map((one) => one.p50)), 2)} ms`,
    `${fixed(median(p99), 2)} ms`,
    kind === "bare"
      ? ""
      : times(
          ratio(
            p99,
            bare.map((one) => one.p99),
          ),
        ),
  ];
}
