/** Checks the port: free, held by a running Fanfare, or held by something else, and by what. */

import { constants, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import type { Config } from "../../config/load.ts";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import { fetchTarget } from "../http.ts";
import { localUrl } from "../target.ts";
import { type Finding, findings } from "./finding.ts";

export interface PortCheck {
  readonly finding: Finding;
  /** The Date header of the Fanfare that runs there. */
  readonly date: string | null;
}

export async function checkPort(config: Config): Promise<PortCheck> {
  const { ok, problem } = findings("port");
  const { host, port } = config;
  if (isUnixSocketPath(host)) return checkSocket(config);
  if (port === 0) return { finding: ok("a free one is taken at each start"), date: null };
  const code = tryToListen(host, port);
  if (code === undefined) return { finding: ok(`${port} on ${host} is free`), date: null };
  const another = "choose another with port (FANFARE_PORT, --port)";
  if (code !== "EADDRINUSE")
    return { finding: problem(`${port} on ${host} cannot be opened: ${reasons(code)}`, another), date: null };
  const running = await askHealth(config);
  if (running !== undefined) return { finding: ok(`${port}: a running Fanfare answers`), date: running.date };
  const holder = holderOf(port);
  const says = `${port} on ${host} is held by ${holder ?? "another program"}, which is no Fanfare`;
  return { finding: problem(says, `stop that program, or ${another}`), date: null };
}

async function checkSocket(config: Config): Promise<PortCheck> {
  const { ok, problem } = findings("port");
  const { host } = config;
  const folder = dirname(host);
  const running = await askHealth(config);
  if (running !== undefined) return { finding: ok(`${host}: a running Fanfare answers`), date: running.date };
  const isWritable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  const change = "make the folder, for the user that runs the server, or name another socket with host";
  const finding = isWritable ? ok(`${host} can be made`) : problem(`${host} cannot be made in ${folder}`, change);
  return { finding, date: null };
}

function reasons(code: string): string {
  if (code === "EACCES") return "this user may not open ports below 1024";
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return `${code}: this is no address of this machine`;
  return code;
}

/** The code of what went wrong. */
function tryToListen(hostname: string, port: number): string | undefined {
  try {
    Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

async function askHealth(config: Config): Promise<{ readonly date: string | null } | undefined> {
  const { base, ...by } = fetchTarget(localUrl(config));
  try {
    // Whose certificate it is matters to clients, not to this question; that has a check of its own.
    const response = await fetch(`${base}/health`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      tls: { rejectUnauthorized: false },
      ...by,
    });
    return isHealth(await response.text()) ? { date: response.headers.get("date") } : undefined;
  } catch {
    return undefined;
  }
}

const TIMEOUT_MS = 5_000;

export function isHealth(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "status" in value && typeof value.status === "string";
  } catch {
    return false;
  }
}

/** `nginx (process 4711)`, where Linux tells. */
function holderOf(port: number): string | undefined {
  try {
    const inodes = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => listeners(readFileSync(file, "utf8"), port));
    const owner = readdirSync("/proc").find((name) => /^\d+$/.test(name) && holds(name, inodes));
    return owner === undefined ? undefined : `${readFileSync(`/proc/${owner}/comm`, "utf8").trim()} (process ${owner})`;
  } catch {
    return undefined;
  }
}

/** Inodes of the sockets that listen on the port. Linux, proc(5): columns are local address, state 0A, … inode. */
function listeners(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hex}`) && state === "0A")
    .flatMap((columns) => columns[9] ?? []);
}

function holds(pid: string, inodes: readonly string[]): boolean {
  try {
    const files = readdirSync(`/proc/${pid}/fd`);
    return files.some((file) =>
      inodes.some((inode) => readlinkSync(`/proc/${pid}/fd/${file}`) === `socket:[${inode}]`),
    );
  } catch {
    // Another user's, or gone by now.
    return false;
  }
}
