/** Real databases, each in a new folder and on a free port, gone with the test that asked for them. */

import { chownSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { kindOf, openDatabase } from "../../packages/server/src/database/open.ts";
import { atEnd } from "./at-end.ts";
import { eventually } from "./eventually.ts";
import { temporaryFolder } from "./process.ts";
import { freePort } from "./redis.ts";

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

export function sqliteFile(): string {
  return `sqlite:${join(temporaryFolder(), "test.db")}`;
}

export async function startPostgres(): Promise<DatabaseServer> {
  const version = readdirSync("/usr/lib/postgresql").at(-1) ?? "";
  const bin = (name: string) => join("/usr/lib/postgresql", version, "bin", name);
  const folder = ownedBy("postgres");
  const data = join(folder, "data");
  // PostgreSQL will not run as root.
  const asUser = (command: readonly string[]) =>
    process.getuid?.() === 0
      ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", ...command]
      : command;
  finish(asUser([bin("initdb"), "-D", data, "-U", "fanfare", "-A", "trust", "--no-sync"]));
  const port = await freePort();
  return serverOf(`postgres://fanfare@127.0.0.1:${port}/postgres`, () =>
    asUser([bin("postgres"), "-D", data, "-p", String(port), "-k", folder, "-h", "127.0.0.1", "-F"]),
  );
}

export async function startMariaDb(): Promise<DatabaseServer> {
  const folder = ownedBy("mysql");
  const data = join(folder, "data");
  const user = process.getuid?.() === 0 ? ["--user=mysql"] : [];
  finish([
    "mariadb-install-db",
    "--no-defaults",
    `--datadir=${data}`,
    "--auth-root-authentication-method=normal",
    ...user,
  ]);
  const port = await freePort();
  const socket = join(folder, "s");
  return serverOf(`mysql://root@127.0.0.1:${port}/test`, () => [
    "/usr/sbin/mariadbd",
    "--no-defaults",
    `--datadir=${data}`,
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    `--socket=${socket}`,
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    ...user,
  ]);
}

async function serverOf(url: string, command: () => readonly string[]): Promise<DatabaseServer> {
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
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // After the name in parentheses: state and parent.
      const [, ppid] = readFileSync(`/proc/${name}/stat`, "utf8")
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

function finish(command: readonly string[]): void {
  const { exitCode, stderr, stdout } = Bun.spawnSync([...command]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed: ${stderr}${stdout}`);
}

/** A folder in which that user may write, where tests run as root. */
function ownedBy(user: string): string {
  const folder = temporaryFolder();
  if (process.getuid?.() === 0) {
    const id = (flag: string) => Number(String(Bun.spawnSync(["id", flag, user]).stdout).trim());
    chownSync(folder, id("-u"), id("-g"));
  }
  mkdirSync(folder, { recursive: true });
  return folder;
}
