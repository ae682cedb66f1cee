/** What each further node that hears a publication costs Redis or NATS. */

import { type Effort, fixed, median, ratio, type Table, times } from "../table.ts";
import { publications } from "./publications.ts";
import type { StoreKind } from "./store.ts";

const NAMES: Readonly<Record<StoreKind, string>> = { redis: "Redis", nats: "NATS" };
const LISTENING = [1, 4, 8];

export async function listeners({ rounds, forMs }: Effort): Promise<Table> {
  const rows: string[][] = [];
  for (const store of ["redis", "nats"] as const) {
    const results: number[][] = [];
    for (const nodes of LISTENING) {
      const plans = [{ name: NAMES[store], nodes: nodes + 1, store }];
      const [mine] = await publications(plans, [{ channel: "heard", readers: nodes }], { rounds, forMs: forMs / 2 });
      const spent = mine?.[0]?.map((round) => round.store) ?? [];
      results.push(spent);
      const base = results[0] ?? [];
      rows.push([
        NAMES[store],
        String(nodes),
        `${fixed(median(spent), 2)} µs`,
        nodes === 1 ? "" : `${fixed((median(spent) - median(base)) / (nodes - 1), 2)} µs`,
        nodes === 1 ? "" : times(ratio(spent, base)),
      ]);
    }
  }
  return {
    title: "Nodes that listen",
    note: "CPU of Redis or NATS for each publication of 123 bytes, ten in a tick, by the number of nodes that have a reader. The ratio is to one.",
    head: ["engine", "listening nodes", "for each publication", "for each further node", "ratio"],
    rows,
  };
}
