/** A crowd of listeners in a process of its own, and what it says of itself. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CliProcess, spawnCli, temporaryFolder } from "../support/process.ts";

const PROGRAM = join(import.meta.dir, "programs", "crowd.ts");

export interface CrowdSettings {
  readonly count: number;
  /** The n-th listener is in the n-th of them, and then again from the first. */
  readonly channels: readonly string[];
  /** Of all of them, from 0 to 1; the others are native clients. */
  readonly pusherShare: number;
  /** Where they connect, and where they come back to. */
  readonly first: string;
  readonly later: string;
}

export interface CrowdReport {
  /** By channel, what a native client heard. */
  readonly heard: Readonly<Record<string, readonly string[]>>;
  /** Native clients that heard anything else than that. */
  readonly heardOtherwise: number;
  /** What was heard twice, or after what came later, by anybody. */
  readonly disordered: readonly string[];
  readonly codes: readonly number[];
  readonly neverAway: number;
  /** Every absence of everybody, the shortest first. */
  readonly awayMs: readonly number[];
  readonly gaps: number;
  /** Native clients that were not told at each return that nothing is missing. */
  readonly unrecovered: number;
}

export class Crowd {
  readonly #child: CliProcess;
  readonly #folder: string;
  #reports = 0;

  constructor(child: CliProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** Resolves when each of them has come back so often. */
  async back(times: number, timeoutMs: number): Promise<void> {
    await this.#child.prints(new RegExp(`^back ${times}$`, "m"), timeoutMs);
  }

  async report(): Promise<CrowdReport> {
    this.#child.signal("SIGUSR2");
    await this.#child.prints(new RegExp(`^reported ${++this.#reports}$`, "m"), 30_000);
    return JSON.parse(readFileSync(join(this.#folder, "report.json"), "utf8"));
  }
}

/** Resolves when all are subscribed. Ends with the test. */
export async function startCrowd(settings: CrowdSettings): Promise<Crowd> {
  const cwd = temporaryFolder();
  const env = { CROWD: JSON.stringify(settings) };
  const child = spawnCli([PROGRAM], { program: [process.execPath], cwd, env });
  await child.prints(/^ready$/m, 120_000);
  return new Crowd(child, cwd);
}
