/** `npm run bench:profile -- client`: where the server's time goes while it does the work of a section of the bench, part by part. */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Costs, measure } from "./profile/measure.ts";
import { functionsTable, partsTable } from "./profile/tables.ts";
import { SECTION_NAMES, type Section, type Workload, workloadsOf } from "./profile/workloads.ts";

interface Options {
  readonly section: Section;
  /** Words that the names of the workloads have to contain. */
  readonly only: readonly string[];
  readonly forMs: number;
  readonly functions: number;
  readonly out: string | undefined;
}

const USAGE = `Usage: npm run bench:profile -- ${SECTION_NAMES.join("|")} [--only WORDS]... [--for MS] [--functions N] [--out FILE]
  --only WORDS    only workloads whose name contains them: --only "pusher, 1 "
  --for MS        how long each measurement lasts (2000)
  --functions N   how many of the dearest functions are listed (25)
  --out FILE      writes the last workload's profile for the developer tools of a browser: FILE.cpuprofile`;

process.exitCode = await main(readOptions());

async function main(options: Options | undefined): Promise<number> {
  if (!options) {
    console.error(USAGE);
    return 1;
  }
  const { section, only, forMs, functions, out } = options;
  const workloads = workloadsOf(section).filter(({ name }) => only.every((words) => name.includes(words)));
  const measured: (readonly [Workload, Costs])[] = [];
  for (const workload of workloads) {
    const costs = await measure(workload, forMs);
    measured.push([workload, costs]);
    if (out !== undefined) writeFileSync(out, JSON.stringify(costs.profile));
  }
  if (measured.length > 0) console.log(partsTable(measured));
  for (const [workload, costs] of measured) console.log(functionsTable(workload, costs, functions));
  return 0;
}

function readOptions(): Options | undefined {
  const text = { type: "string" } as const;
  const options = { only: { ...text, multiple: true }, for: text, functions: text, out: text } as const;
  try {
    const { values, positionals } = parseArgs({ args: process.argv.slice(2), options, allowPositionals: true });
    const section = SECTION_NAMES.find((name) => name === positionals[0]);
    const [forMs, functions] = [Number(values.for ?? 2_000), Number(values.functions ?? 25)];
    if (!section || positionals.length !== 1 || !(forMs > 0) || !(functions >= 0)) return undefined;
    return { section, only: values.only ?? [], forMs, functions, out: values.out };
  } catch {
    return undefined;
  }
}
