/** `npm run bench:cluster`: what several processes and machines cost beside one process doing the same work in the same run. */

import { connections } from "./cluster/connections.ts";
import { cost } from "./cluster/cost.ts";
import { deliveries } from "./cluster/deliveries.ts";
import { forwarding } from "./cluster/forwarding.ts";
import { history } from "./cluster/history.ts";
import { joins } from "./cluster/joins.ts";
import { listeners } from "./cluster/listeners.ts";
import { reap } from "./cluster/reap.ts";
import { run } from "./run.ts";

process.exitCode = await run({
  command: "npm run bench:cluster",
  title: "Benchmark of several processes",
  note: [
    "Everything shares these cores: all nodes, Redis or NATS, and the load generators. So CPU times are what to compare and to",
    "reckon with; rates are of the whole machine. Each figure is the median of rounds in which the engines take turns; each",
    "ratio is the median of the rounds' ratios to the first line of its table in the same round.",
  ].join("\n"),
  sections: { deliveries, cost, listeners, history, joins, reap, forwarding, connections },
  efforts: {
    full: { rounds: 5, forMs: 800, subscribers: [1, 1_000], connections: [100_000] },
    quick: { rounds: 1, forMs: 300, subscribers: [1, 200], connections: [20_000] },
    // Shows that everything runs; says nothing about speed.
    tiny: { rounds: 1, forMs: 20, subscribers: [1, 20], connections: [200] },
  },
});
