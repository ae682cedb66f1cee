/** What `bench/main.ts` and `bench/cluster.ts` do alike: they read what is asked for, and print one table after another. */

import { appendFileSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem, type } from "node:os";
import { parseArgs } from "node:util";
import { type Effort, markdown, type Table } from "./table.ts";

export interface Bench {
  /** What was typed; default: all of it. */
  readonly args?: readonly string[];
  /** What starts it, for people. */
  readonly command: string;
  readonly title: string;
  /** What holds for all of its tables. */
  readonly note: string;
  /** What the file that it writes has after its tables. */
  readonly appendix?: string;
  readonly sections: Readonly<Record<string, (effort: Effort) => Promise<Table>>>;
  readonly efforts: Readonly<Record<"full" | "quick" | "tiny", Effort>>;
}

interface Options {
  readonly effort: Effort;
  readonly only: readonly string[];
  readonly out: string | undefined;
}

/** The exit code. */
export async function run(bench: Bench): Promise<number> {
  const options = readOptions(bench);
  if (!options) {
    const names = Object.keys(bench.sections).join("|");
    console.error(`Usage: ${bench.command} [--quick | --tiny] [--only ${names}]... [--connections N] [--out FILE]`);
    return 1;
  }
  const write = (text: string) => {
    console.log(text);
    if (options.out !== undefined) appendFileSync(options.out, `${text}\n`);
  };
  if (options.out !== undefined) writeFileSync(options.out, "");
  write(headingOf(bench));
  for (const name of options.only) {
    const table = await bench.sections[name]?.(options.effort);
    if (table) write(markdown(table));
  }
  if (options.out !== undefined && bench.appendix !== undefined) appendFileSync(options.out, bench.appendix);
  return 0;
}

function readOptions({ sections, efforts, args = process.argv.slice(2) }: Bench): Options | undefined {
  const flag = { type: "boolean", default: false } as const;
  const options = {
    quick: flag,
    tiny: flag,
    only: { type: "string", multiple: true },
    connections: { type: "string" },
    out: { type: "string" },
  } as const;
  try {
    const {
      quick,
      tiny,
      only = Object.keys(sections),
      connections,
      out,
    } = parseArgs({ args: [...args], options }).values;
    if (only.some((name) => !Object.hasOwn(sections, name))) return undefined;
    const effort = tiny ? efforts.tiny : quick ? efforts.quick : efforts.full;
    if (connections === undefined) return { effort, only, out };
    const wanted = Number(connections);
    if (!Number.isInteger(wanted) || wanted < 1) return undefined;
    return { effort: { ...effort, connections: [wanted] }, only, out };
  } catch {
    return undefined;
  }
}

function headingOf({ command, title, note }: Bench): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    `# ${title}`,
    "",
    `Written by \`${command}\` on ${availableParallelism()} cores, ${gigabytes} GB, ${type()}, Bun ${Bun.version}.`,
    note,
    "",
  ].join("\n");
}
