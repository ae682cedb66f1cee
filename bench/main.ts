/** `npm run bench`: what Fanfare costs beside bare Bun doing the same work in the same run, as tables. */

import { run } from "./run.ts";
import { client } from "./sections/client.ts";
import { connections } from "./sections/connections.ts";
import { fanout } from "./sections/fanout.ts";
import { held } from "./sections/held.ts";
import { history } from "./sections/history.ts";
import { http } from "./sections/http.ts";
import { latency } from "./sections/latency.ts";
import { memory } from "./sections/memory.ts";
import { recovery } from "./sections/recovery.ts";
import { rest } from "./sections/rest.ts";
import { start } from "./sections/start.ts";
import { transports } from "./sections/transports.ts";

process.exitCode = await run({
  command: "npm run bench -- --out docs/bench.md",
  title: "Benchmark",
  note: [
    "Server and load generator are processes of their own that share these cores. Each figure is the median of rounds in",
    "which the servers take turns; each ratio is the median of the rounds' ratios to bare `Bun.serve` in the same round.",
  ].join("\n"),
  sections: { fanout, transports, http, client, connections, memory, latency, held, recovery, history, start, rest },
  efforts: {
    full: { rounds: 5, forMs: 800, subscribers: [1, 10, 100, 1_000, 10_000], connections: [1_000, 10_000, 18_000] },
    quick: { rounds: 1, forMs: 300, subscribers: [1, 10, 1_000], connections: [1_000, 5_000] },
    // Shows that everything runs; says nothing about speed.
    tiny: { rounds: 1, forMs: 100, subscribers: [1, 20], connections: [60, 100] },
  },
});
