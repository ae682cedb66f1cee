/** A channel that keeps what was said beside one that does not. */

import { type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";
import { totalOf } from "./cost.ts";
import { publications } from "./publications.ts";
import { PLANS } from "./site.ts";

const HERE = PLANS.filter(({ workers = 2 }) => workers === 2);
const PLAIN = { channel: "plain-one", readers: 1 };
const KEPT = { channel: "kept-one", readers: 1 };

export async function history({ rounds, forMs }: Effort): Promise<Table> {
  const results = await publications(HERE, [PLAIN, KEPT], { rounds, forMs });
  const rows = HERE.map(({ name }, at) => {
    const [plain = [], kept = []] = results[at] ?? [];
    const rate = (rounds: typeof plain) => whole(median(rounds.map(({ perSecond }) => perSecond)));
    const cpu = (rounds: typeof plain) => `${fixed(median(rounds.map(totalOf)), 2)} µs`;
    const store = `${fixed(median(kept.map((round) => round.store)), 2)} µs`;
    return [
      name,
      rate(plain),
      rate(kept),
      cpu(plain),
      cpu(kept),
      store,
      times(ratio(kept.map(totalOf), plain.map(totalOf))),
    ];
  });
  return {
    title: "With history",
    note: [
      "One reader, ten publications in a tick into one channel, the last 100 kept for 60 s. CPU of everybody for each publication. The ratio",
      "is of the CPU with history to that without, of the same engine.",
    ].join("\n"),
    head: ["engine", "plain, /s", "kept, /s", "CPU plain", "CPU kept", "of it Redis or NATS", "ratio"],
    rows,
  };
}
