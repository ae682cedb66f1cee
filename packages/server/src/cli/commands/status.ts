/** `fanfare status`: whether the server runs, and how it is. */

import type { Command } from "commander";
import type { NodeState } from "../../domain/ports.ts";
import type { Status } from "../../server/lifecycle/status.ts";
import { addLocationOptions, findServer, type LocationOptions, locationOf } from "../daemon/location.ts";
import { printable } from "../output.ts";

/** As systemd and the init scripts before it. */
const NOT_RUNNING = 3;

export function addStatus(program: Command): void {
  const command = program.command("status").description("say whether the server runs here, and how it is");
  addLocationOptions(command)
    .option("--json", "print JSON")
    .addHelpText("after", "\nThe exit code is 3 when none runs.\n\nExample:\n  $ fanfare status --json")
    .action(async () => {
      const options = command.opts<LocationOptions & { json?: true }>();
      const found = await findServer(await locationOf(options));
      if (!found) process.exitCode = NOT_RUNNING;
      console.log(options.json ? asJson(found) : asText(found));
    });
}

type EndpointMatch = { readonly pid: number; readonly status: Status | undefined } | undefined;

function asJson(found: EndpointMatch): string {
  if (!found) return JSON.stringify({ running: false }, undefined, 2);
  // What it was started with may hold secrets, and is for `restart` alone.
  const { args: _args, ...status } = found.status ?? { args: [], pid: found.pid };
  return JSON.stringify({ running: true, ...status }, undefined, 2);
}

function asText(found: EndpointMatch): string {
  if (!found) return "not running";
  const { pid, status } = found;
  if (!status) return `running as process ${pid}; its control socket does not answer`;
  const rows: (readonly [string, string])[] = [
    ["Process", String(pid)],
    ["Since", `${new Date(status.startedAtMs).toISOString()} (${duration(Date.now() - status.startedAtMs)})`],
    ["Address", status.url],
    ["Version", status.version],
    ["Mode", `${status.mode}${status.daemon ? ", in the background" : ""}`],
    ["Workers", String(status.workers)],
    ["Connections", status.connections.toLocaleString("en")],
    ["Memory", memoryOf(status)],
    ["Lag", `${status.lagMs} ms`],
    ["Ready", status.unready.length === 0 ? "yes" : `no: ${status.unready.map(({ message }) => message).join(" ")}`],
    ...status.nodes.map((node, index) => [index === 0 ? "Nodes" : "", nodeText(node)] as const),
  ];
  const lines = rows.map(([label, value]) => `  ${label.padEnd(WIDTH)}${printable(value)}`);
  const how = status.stopping
    ? "stopping"
    : status.draining
      ? "draining: its clients are sent to other nodes"
      : "running";
  return [how, ...lines].join("\n");
}

const WIDTH = 14;

function memoryOf({ memory: { usedBytes, markBytes }, workers }: Status): string {
  const used = markBytes === undefined ? megabytes(usedBytes) : `${megabytes(usedBytes)} of ${megabytes(markBytes)}`;
  return workers > 1 ? `${used}, this process; those of its workers are below` : used;
}

function nodeText({ name, url, connections, lagMs, memoryBytes, silentMs, draining, unready }: NodeState): string {
  const parts = [`${connections.toLocaleString("en")} connections`, `lag ${lagMs} ms`];
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
