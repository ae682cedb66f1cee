/** Checks the port: free, held by a running Fanfare, or held by something else, and by what. */

import { constants, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import type { Config } from "../../config/load.ts";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import { codeOf } from "../../domain/thrown.ts";
import { callHealth, isHealth, localUrl } from "../http.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, problem } = findings("port");

interface PortCheck {
  readonly finding: Finding;
  /** The Date header of the Fanfare that runs there. */
  readonly date: string | null;
}

export async function checkPort(config: Config): Promise<PortCheck> {
  const { host, port } = config;
  const code = isUnixSocketPath(host) ? "EADDRINUSE" : port === 0 ? undefined : tryToListen(host, port);
  const date = code === "EADDRINUSE" ? await dateOfRunning(config) : undefined;
  if (date !== undefined)
    return { finding: ok(`${isUnixSocketPath(host) ? host : port}: a running Fanfare answers`), date };
  return { finding: isUnixSocketPath(host) ? await socketFinding(host) : portFinding(config, code), date: null };
}

const ANOTHER = "choose another with port (FANFARE_PORT, --port)";

/** `code` is what listening there fails with. */
function portFinding({ host, port }: Config, code: string | undefined): Finding {
  if (port === 0) return ok("a free one is taken at each start");
  if (code === undefined) return ok(`${port} on ${host} is free`);
  if (code !== "EADDRINUSE") return problem(`${port} on ${host} cannot be opened: ${REASONS[code] ?? code}`, ANOTHER);
  const holder = holderOf(port) ?? "another program";
  return problem(`${port} on ${host} is held by ${holder}, which is no Fanfare`, `stop that program, or ${ANOTHER}`);
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "this user may not open ports below 1024",
  EADDRNOTAVAIL: "EADDRNOTAVAIL: this is no address of this machine",
  ENOTFOUND: "ENOTFOUND: this is no address of this machine",
  EINVAL: "EINVAL: this is no address of this machine",
};

async function socketFinding(path: string): Promise<Finding> {
  const folder = dirname(path);
  const change = "make the folder, for the user that runs the server, or name another socket with host";
  return access(folder, constants.W_OK).then(
    () => ok(`${path} can be made`),
    () => problem(`${path} cannot be made in ${folder}`, change),
  );
}

function tryToListen(hostname: string, port: number): string | undefined {
  try {
    Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
    return undefined;
  } catch (error) {
    return codeOf(error) || String(error);
  }
}

/** The Date header of the Fanfare that answers there. Whose certificate it has is checked elsewhere. */
async function dateOfRunning(config: Config): Promise<string | null | undefined> {
  const options = { tls: { rejectUnauthorized: false } } as const;
  const answer = await callHealth(localUrl(config), options).catch(() => undefined);
  return answer && isHealth(answer) ? answer.headers.get("date") : undefined;
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
    const files = readdirSync(`/proc/${pid}/fd`).map((file) => readlinkSync(`/proc/${pid}/fd/${file}`));
    return inodes.some((inode) => files.includes(`socket:[${inode}]`));
  } catch {
    // Another user's, or gone by now.
    return false;
  }
}
