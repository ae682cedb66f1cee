/** The real command line as a child process: what it prints, how it ends, and no way for it to outlive the test. */

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { atEnd } from "./at-end.ts";
import { eventually } from "./eventually.ts";
import { APP } from "./server.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const BIN = join(import.meta.dir, "..", "..", "packages", "server", "bin", "fanfare.js");
const PATIENCE_MS = 60_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface CliOptions {
  /** A new empty folder where not given. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In place of `node packages/server/bin/fanfare.js`. */
  readonly program?: readonly [string, ...string[]];
  /** Something is typed into it: without that its input is empty. */
  readonly isTypedInto?: boolean;
}

export interface ServeOptions extends CliOptions {
  readonly args?: readonly string[];
  /** Fixed, for a server that is to come back where it was; free where not given. */
  readonly port?: number;
  /** Written to a file; settings of the default app apply where it has no `apps`. `null` for no file and no app. */
  readonly config?: ConfigInput | null;
}

/** Starts any command. */
export function spawnCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  const child = new CliProcess(args, options);
  atEnd(() => child.kill());
  return child;
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}) {
  const child = spawnCli(args, options);
  const { code, signal } = await child.ended(PATIENCE_MS);
  return { code, signal, stdout: child.stdout, stderr: child.stderr };
}

/** Starts `fanfare serve` and resolves when `/health` answers 200. */
export async function startProcess(options: ServeOptions = {}): Promise<ServerProcess> {
  const { config = {}, args = [], port = 0, ...rest } = options;
  const cwd = options.cwd ?? temporaryFolder();
  if (config !== null) writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify({ apps: [APP], ...config }));
  const child = spawnCli(["serve", "--host", "127.0.0.1", "--port", String(port), ...args], { ...rest, cwd });
  const [, url = ""] = await child.prints(/(https?:\/\/127\.0\.0\.1:\d+)/);
  await eventually(() => healthy(url), { withinMs: PATIENCE_MS });
  return Object.assign(child, { url, port: Number(new URL(url).port) });
}

export type ServerProcess = CliProcess & { readonly url: string; readonly port: number };

async function healthy(url: string): Promise<void> {
  // Whether it is up is the question here, not whose certificate it has.
  const { status } = await fetch(`${url}/health`, { tls: { rejectUnauthorized: false } });
  if (status !== 200) throw new Error(`GET ${url}/health: ${status}`);
}

export class CliProcess {
  readonly pid: number;
  readonly exited: Promise<Ended>;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #command: string;
  #hasEnded = false;

  constructor(args: readonly string[], options: CliOptions) {
    const [program, ...before] = options.program ?? ["node", BIN];
    this.#command = [program, ...before, ...args].join(" ");
    // Detached, so that it leads a process group: the launcher and the Bun it starts are signalled together.
    this.#child = spawn(program, [...before, ...args], {
      cwd: options.cwd ?? temporaryFolder(),
      env: { ...process.env, NODE_ENV: "", ...options.env },
      stdio: [options.isTypedInto ? "pipe" : "ignore", "pipe", "pipe"],
      detached: true,
    });
    if (this.#child.pid === undefined) throw new Error(`${this.#command} could not be started`);
    this.pid = this.#child.pid;
    this.#child.stdout?.on("data", (chunk) => {
      this.stdout += chunk;
    });
    this.#child.stderr?.on("data", (chunk) => {
      this.stderr += chunk;
    });
    const { promise, resolve, reject } = Promise.withResolvers<Ended>();
    this.exited = promise;
    this.#child.on("error", reject);
    this.#child.on("close", (code, signal) => {
      this.#hasEnded = true;
      resolve({ code, signal });
    });
  }

  /** Everything printed so far, both streams. */
  get output(): string {
    return `${this.stdout}${this.stderr}`;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Resolves when the output has this; rejects when it has not in time, or never will because the process ended. */
  async prints(pattern: RegExp, timeoutMs = PATIENCE_MS): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeoutMs;
    while (true) {
      const isOver = this.#hasEnded || performance.now() >= deadline;
      const found = pattern.exec(this.output);
      if (found) return found;
      if (isOver) throw new Error(`${this.#command} did not print ${pattern}. It printed:\n${this.output}`);
      await Bun.sleep(10);
    }
  }

  async ended(timeoutMs = PATIENCE_MS): Promise<Ended> {
    const late = Bun.sleep(timeoutMs).then(() => {
      throw new Error(`${this.#command} did not end within ${timeoutMs} ms. It printed:\n${this.output}`);
    });
    return await Promise.race([this.exited, late]);
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** To the launcher alone, as a supervisor would. */
  signal(name: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(name);
  }

  /** As a person with Ctrl+C, or `kill`: asks it to stop, and waits. */
  async stop(name: "SIGTERM" | "SIGINT" = "SIGTERM", timeoutMs = PATIENCE_MS): Promise<Ended> {
    this.signal(name);
    return await this.ended(timeoutMs);
  }

  /** The power is gone: no process of it is left when this resolves. */
  async kill(): Promise<Ended> {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // Nobody is left in the group.
    }
    return await this.exited;
  }
}
