/** Nodes in processes of their own, which can be killed and frozen. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** What a node has: channel, user, connection; the same and a state; channel, count; place, holder; channels that it listens to. */
export interface Holdings {
  readonly rows: readonly (readonly [string, string, string])[];
  readonly states: readonly (readonly [string, string, string, string])[];
  readonly tallies: readonly (readonly [string, number])[];
  readonly places: readonly (readonly [string, string])[];
  readonly channels: readonly string[];
}

/** Resolves when it holds all of it. */
export async function startHolderOf(
  file: string,
  settings: unknown,
  holdings: Partial<Holdings>,
  before: readonly string[] = [],
): Promise<CliProcess> {
  const all: Holdings = { rows: [], states: [], tallies: [], places: [], channels: [], ...holdings };
  const [program = process.execPath, ...args] = [...before, process.execPath, join(import.meta.dir, "programs", file)];
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "node.json"), JSON.stringify({ settings, holdings: all }));
  const child = spawnCli([], { program: [program, ...args], cwd });
  await child.prints(/^holding$/m, 60_000);
  return child;
}

/** As the node printed them. */
export function factsOf(child: CliProcess): readonly unknown[] {
  return [...child.stdout.matchAll(/^fact (.*)$/gm)].map(([, text = ""]) => JSON.parse(text));
}

/** What the node took for the time when it began to hold. */
export function clockOf(child: CliProcess): number {
  return Number(/^clock (\d+)$/m.exec(child.stdout)?.[1]);
}
