/** What the fault tests do with processes: a server whose process id is its own, clients to stop, and a look at both. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { external } from "../support/external.ts";
import { type CliProcess, type ServeOptions, type ServerProcess, spawnCli, startProcess } from "../support/process.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";

const PROC = external("proc");
const ROOT = join(import.meta.dir, "..", "..");
const CLIENT = join(import.meta.dir, "programs", "client.ts");

/** Without the launcher in front: what is measured, limited or stopped is the server itself. */
export const SERVER: readonly [string, ...string[]] = [
  process.execPath,
  join(ROOT, "packages", "server", "src", "cli", "main.ts"),
];

export function startBareProcess(options: ServeOptions = {}): Promise<ServerProcess> {
  return startProcess({ program: SERVER, ...options });
}

/** That many Pusher clients in one child process; resolves when all are subscribed. */
export async function startClients(url: string, count: number, channel = ""): Promise<CliProcess> {
  const clients = spawnCli([CLIENT, url, APP.key, APP.secret, String(count), channel], { program: [process.execPath] });
  await clients.prints(/^ready$/m, 90_000);
  return clients;
}

export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`${PROC}/${pid}/status`, "utf8"))?.[1];
  return Number(line) * 1024;
}

export function openFiles(pid: number): number {
  return readdirSync(`${PROC}/${pid}/fd`).length;
}

/** Seconds of processor time that the process has used, its system calls included. */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`${PROC}/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const ticksPerSecond = 100;
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** How many connections are in the channel, as the HTTP API tells. */
export async function subscribers(url: string, channel: string): Promise<number> {
  const query = { info: "subscription_count" };
  const response = await signedFetch(url, APP, "GET", `/channels/${channel}`, { query });
  const body = (await response.json()) as { subscription_count?: number };
  return body.subscription_count ?? 0;
}

export async function occupiedChannels(url: string): Promise<readonly string[]> {
  const response = await signedFetch(url, APP, "GET", "/channels");
  const { channels } = (await response.json()) as { channels: Record<string, unknown> };
  return Object.keys(channels);
}
