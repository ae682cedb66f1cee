/** `npm run bench`: what Fanfare costs beside bare Bun doing the same work in the same run, as tables. */

import { appendFileSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem, type } from "node:os";
import { parseArgs } from "node:util";
import { client } from "./sections/client.ts";
import { fanout } from "./sections/fanout.ts";
import { http } from "./sections/http.ts";
import { latency } from "./sections/latency.ts";
import { memory } from "./sections/memory.ts";
import { type Effort, markdown, type Table } from "./table.ts";

const SECTIONS: Readonly<Record<string, (effort: Effort) => Promise<Table>>> = {
  fanout,
  http,
  client,
  memory,
  latency,
};

const FULL: Effort = {
  rounds: 5,
  forMs: 800,
  subscribers: [1, 100, 1_000, 10_000],
  connections: [1_000, 10_000, 18_000],
};
const QUICK: Effort = { rounds: 1, forMs: 300, subscribers: [1, 100, 1_000], connections: [1_000, 5_000] };
/** Shows that everything runs; says nothing about speed. */
const TINY: Effort = { rounds: 1, forMs: 20, subscribers: [1, 20], connections: [60, 100] };

const USAGE = `Usage: bun bench/main.ts [--quick | --tiny] [--only ${Object.keys(SECTIONS).join("|")}]... [--out FILE]`;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (!options) {
    console.error(USAGE);
    return 1;
  }
  const write = (text: string) => {
    console.log(text);
    if (options.out !== undefined) appendFileSync(options.out, `${text}\n`);
  };
  if (options.out !== undefined) writeFileSync(options.out, "");
  write(heading());
  for (const name of options.only) {
    const table = await SECTIONS[name]?.(options.effort);
    if (table) write(markdown(table));
  }
  return 0;
}

function readOptions(): { effort: Effort; only: readonly string[]; out: string | undefined } | undefined {
  const flag = { type: "boolean", default: false } as const;
  const options = {
    quick: flag,
    tiny: flag,
    only: { type: "string", multiple: true },
    out: { type: "string" },
  } as const;
  try {
    const { quick, tiny, only = Object.keys(SECTIONS), out } = parseArgs({ options }).values;
    if (only.some((name) => !Object.hasOwn(SECTIONS, name))) return undefined;
    return { effort: tiny ? TINY : quick ? QUICK : FULL, only, out };
  } catch {
    return undefined;
  }
}

function heading(): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    "# Benchmark",
    "",
    `Written by \`npm run bench -- --out docs/bench.md\` on ${availableParallelism()} cores, ${gigabytes} GB, ${type()}, Bun ${Bun.version}.`,
    "Server and load generator are processes of their own that share these cores. Each figure is the median of rounds in",
    "which the servers take turns; each ratio is the median of the rounds' ratios to bare `Bun.serve` in the same round.",
    "",
  ].join("\n");
}
