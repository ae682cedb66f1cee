/** `fanfare status`: whether the server runs, and how it is. */

import type { NodeState } from "../../domain/ports.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { findServer, type LocalServer, type LocationOptions, locationOf } from "../daemon/location.ts";
import { grouped, type Report, type Row, table } from "../output.ts";

/** As systemd and the init scripts before it. */
const NOT_RUNNING = 3;

export async function status(options: LocationOptions): Promise<Report> {
  const server = await findServer(await locationOf(options));
  if (server === undefined) return { json: { running: false }, text: "not running", exitCode: NOT_RUNNING };
  // What it was started with may hold secrets, and is for `restart` alone.
  const { args: _args, ...shown } = server.status ?? { args: [], pid: server.pid };
  return { json: { running: true, ...shown }, text: textOf(server) };
}

function textOf({ pid, status }: LocalServer): string {
  if (!status) return `running as process ${pid}; its control socket does not answer`;
  const rows: readonly Row[] = [
    ["Process", String(pid)],
    ["Since", `${new Date(status.startedAtMs).toISOString()} (${duration(Date.now() - status.startedAtMs)})`],
    ["Address", status.url],
    ["Version", status.version],
    ["Mode", `${status.mode}${status.daemon ? ", in the background" : ""}`],
    ["Workers", String(status.workers)],
    ["Connections", grouped(status.connections)],
    ["Memory", memoryText(status)],
    ["Lag", `${status.lagMs} ms`],
    ["Ready", status.unready.length === 0 ? "yes" : `no: ${status.unready.map(({ message }) => message).join(" ")}`],
    ...status.nodes.map((node, index): Row => [index === 0 ? "Nodes" : "", nodeText(node)]),
  ];
  const running = status.draining ? "draining: its clients are sent to other nodes" : "running";
  return [status.stopping ? "stopping" : running, ...table(rows, { width: 14 })].join("\n");
}

function memoryText({ memory: { usedBytes, markBytes }, workers }: Status): string {
  const used = markBytes === undefined ? megabytes(usedBytes) : `${megabytes(usedBytes)} of ${megabytes(markBytes)}`;
  return workers > 1 ? `${used}, this process; those of its workers are below` : used;
}

function nodeText({ name, url, connections, lagMs, memoryBytes, silentMs, draining, unready }: NodeState): string {
  const parts = [`${grouped(connections)} connections`, `lag ${lagMs} ms`];
  if (memoryBytes !== undefined) parts.push(megabytes(memoryBytes));
  if (silentMs > 0) parts.push(`heard ${duration(silentMs)} ago`);
  if (draining) parts.push("draining");
  if (unready) parts.push("takes no clients");
  return `${name}${url === undefined ? "" : ` (${url})`}: ${parts.join(", ")}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}
