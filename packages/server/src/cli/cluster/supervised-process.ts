/** A process that is kept running: started again when it ends, later each time, until it is told to stop. */

import { type ChildProcess, spawn } from "node:child_process";

export interface SupervisedProcessOptions {
  /** For people: "node 2". */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Its standard input is open as long as this process lives. */
  readonly exitsWithParent: boolean;
  readonly log: (text: string) => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Alive for so long, it counts as the first time again. */
const HEALTHY_MS = 60_000;

export class SupervisedProcess {
  readonly #options: SupervisedProcessOptions;
  #child: ChildProcess | undefined;
  #losses = 0;
  #startedAtMs = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #isStopping = false;

  constructor(options: SupervisedProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  start(): void {
    const { command, env, exitsWithParent: leashed } = this.#options;
    const [program, ...args] = command;
    // Detached, so that Ctrl+C is for the command alone, which then stops them one and all.
    const child = spawn(program, args, {
      detached: true,
      env: { ...env },
      stdio: [leashed ? "pipe" : "ignore", "ignore", "inherit"],
    });
    this.#startedAtMs = performance.now();
    this.#child = child;
    child.once("error", (error) => this.#lost(child, error.message));
    child.once("exit", (code, signal) => this.#lost(child, signal ?? `exit code ${code}`));
  }

  /** Resolves when it has ended; what does not within `graceMs` is killed. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#again);
    const child = this.#child;
    if (!child) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const killing = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await gone;
    clearTimeout(killing);
  }

  #lost(child: ChildProcess, why: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    if (this.#isStopping) return;
    if (performance.now() - this.#startedAtMs >= HEALTHY_MS) this.#losses = 0;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#losses++);
    this.#options.log(`${this.#options.name} ended (${why}); it starts again in ${pauseMs / 1000} s`);
    this.#again = setTimeout(() => this.start(), pauseMs);
  }
}
