/** A child process that is kept running: started again when it ends, later each time, until it is stopped. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { backoffMs } from "../../domain/backoff.ts";

interface SupervisedProcessOptions {
  /** For people: "node 2". */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What it reads. */
  readonly input?: string;
}

const PAUSE = { minMs: 500, maxMs: 30_000 };
/** After so long a run, the next failure counts as the first again. */
const HEALTHY_MS = 60_000;

export class SupervisedProcess {
  readonly #options: SupervisedProcessOptions;
  #child: ChildProcess | undefined;
  #failures = 0;
  #startedAtMs = 0;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #isStopping = false;

  constructor(options: SupervisedProcessOptions) {
    this.#options = options;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves when it has ended; what does not within `graceMs` is killed. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (!child) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const killing = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await exited;
    clearTimeout(killing);
  }

  #start(): void {
    const { command, env = process.env, input } = this.#options;
    const [program, ...args] = command;
    // Detached, so that Ctrl+C is for the command alone, which then stops them one and all.
    const child = spawn(program, args, {
      detached: true,
      env: { ...env },
      stdio: [input === undefined ? "ignore" : "pipe", "ignore", "inherit"],
    });
    this.#startedAtMs = performance.now();
    this.#child = child;
    child.stdin?.end(input);
    child.once("error", (error) => this.#onExit(child, error.message));
    child.once("exit", (code, signal) => this.#onExit(child, signal ?? `exit code ${code}`));
  }

  #onExit(child: ChildProcess, why: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    if (this.#isStopping) return;
    if (performance.now() - this.#startedAtMs >= HEALTHY_MS) this.#failures = 0;
    const pauseMs = backoffMs(this.#failures++, PAUSE, 1);
    console.log(`${this.#options.name} ended (${why}); it starts again in ${pauseMs / 1000} s`);
    this.#restart = setTimeout(() => this.#start(), pauseMs);
  }
}
