/** What real databases have in common: they start, are stopped and are killed with all their processes. */

import { chownSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { sql } from "kysely";
import { kindOf, openDatabase } from "../../packages/server/src/database/open.ts";
import { atEnd } from "./at-end.ts";
import { eventually } from "./eventually.ts";
import { external } from "./external.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const PROC = external("proc");
const START_MS = 60_000;

export interface DatabaseServer {
  /** Ends in a new, empty database. */
  readonly url: string;
  /** As a crash does. */
  kill(): Promise<void>;
  /** Holds it still, and lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  start(): Promise<void>;
}

/** Starts it with what `command` answers, each time. */
export async function startDatabase(url: string, command: () => readonly string[]): Promise<DatabaseServer> {
  let running: ReturnType<typeof spawn> | undefined;
  const start = async () => {
    running = spawn(command());
    await eventually(() => answers(url), { withinMs: START_MS });
  };
  const kill = async () => {
    if (!running) return;
    // PostgreSQL's connections are processes of their own, and would live on for a while.
    const family = [running.pid, ...childrenOf(running.pid)];
    for (const pid of family) tryTo(pid, "SIGKILL");
    await running.exited;
  };
  const signal = (name: "SIGSTOP" | "SIGCONT") => {
    if (running) for (const pid of [running.pid, ...childrenOf(running.pid)]) tryTo(pid, name);
  };
  atEnd(kill);
  await start();
  return { url, start, kill, signal };
}

function childrenOf(parent: number): number[] {
  return readdirSync(PROC).flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // After the name in parentheses: state and parent.
      const [, ppid] = readFileSync(`${PROC}/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return Number(ppid) === parent ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Some are gone by themselves meanwhile. */
function tryTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {}
}

async function answers(url: string): Promise<void> {
  kindOf(url);
  const database = await openDatabase(url);
  try {
    await sql`select 1`.execute(database.query);
  } finally {
    await database.close();
  }
}

function spawn(command: readonly string[]) {
  return Bun.spawn([...command], { stdout: "ignore", stderr: "ignore", stdin: "ignore" });
}

export function finish(command: readonly string[]): void {
  const { exitCode, stderr, stdout } = Bun.spawnSync([...command]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed: ${stderr}${stdout}`);
}

/** A folder in which that user may write, where tests run as root. */
export function folderOwnedBy(user: string): string {
  const folder = temporaryFolder();
  if (process.getuid?.() === 0) {
    const id = (flag: string) => Number(String(Bun.spawnSync(["id", flag, user]).stdout).trim());
    chownSync(folder, id("-u"), id("-g"));
  }
  mkdirSync(folder, { recursive: true });
  return folder;
}
