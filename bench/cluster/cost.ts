/** What one publication costs the node that publishes, a node that has readers, and what lies between them. */

import { type Effort, fixed, median, ratio, type Table, times } from "../table.ts";
import { publications, type Round } from "./publications.ts";
import { PLANS, type Spent } from "./site.ts";

/** Four workers share out what two do. */
const HERE = PLANS.filter(({ workers = 2 }) => workers === 2);

export async function cost({ subscribers, rounds, forMs }: Effort): Promise<Table> {
  const many = subscribers.at(-1) ?? 1;
  const audiences = [
    { channel: "cost-one", readers: 1 },
    { channel: "cost-many", readers: many },
  ];
  const results = await publications(HERE, audiences, { rounds, forMs });
  const rows = audiences.flatMap(({ readers }, which) =>
    HERE.map(({ name }, at) => rowOf(`${name}; ${readers}`, results[at]?.[which] ?? [], results[0]?.[which] ?? [])),
  );
  return {
    title: "What one publication costs",
    note: [
      "CPU for each publication of 123 bytes, ten in a tick. All readers are on the node, or the workers, that do not publish; in one process",
      "both are one. The ratio is of all of it together.",
    ].join("\n"),
    head: ["engine; readers", "publishing node", "receiving node", "Redis or NATS", "together", "ratio"],
    rows,
  };
}

export function totalOf({ publisher, receivers, store }: Spent): number {
  return publisher + receivers + store;
}

function rowOf(name: string, mine: readonly Round[], base: readonly Round[]): string[] {
  const us = (pick: (round: Round) => number) => `${fixed(median(mine.map(pick)), 2)} µs`;
  return [
    name,
    us((round) => round.publisher),
    us((round) => round.receivers),
    us((round) => round.store),
    us(totalOf),
    mine === base ? "" : times(ratio(mine.map(totalOf), base.map(totalOf))),
  ];
}
