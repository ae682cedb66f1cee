/** What a running server reports to its owner: how it is, and who is in which channel. */

import manifest from "../../../package.json" with { type: "json" };
import type { Config, ConfigInput } from "../../config/load.ts";
import type { App } from "../../domain/app.ts";
import { type ChannelKind, kindOf } from "../../domain/channel.ts";
import type { NodeState } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { nodeName } from "../cluster/node-states.ts";
import { type ReadyState, type UnreadyReason, unreadyReasons } from "../http/ready-route.ts";

/** How the process came to be. */
export interface LaunchOptions {
  /** Where the settings come from; read again when the server reloads. Throws ConfigError. */
  readonly source?: () => Promise<ConfigInput>;
  /** SIGTERM and SIGINT stop it; without this that is left to who made it. */
  readonly handleSignals?: boolean;
  /** Runs in the background, started by `fanfare serve --daemon`. */
  readonly daemon?: boolean;
}

export interface Status {
  readonly pid: number;
  readonly version: string;
  readonly url: string;
  /** Where API calls go. */
  readonly apiUrl: string;
  readonly mode: Config["mode"];
  readonly daemon: boolean;
  /** Unix milliseconds. */
  readonly startedAtMs: number;
  /** Of this process and its workers. */
  readonly connections: number;
  /** Resident, in bytes; the mark is absent where there is none. */
  readonly memory: { readonly usedBytes: number; readonly markBytes?: number };
  /** How late timers run, in milliseconds. */
  readonly lagMs: number;
  /** Its clients have to leave, or will have to. */
  readonly draining: boolean;
  /** It ends when they have left. */
  readonly stopping: boolean;
  /** Why clients should not be sent here; empty where they should. */
  readonly unready: readonly UnreadyReason[];
  readonly workers: number;
  readonly apps: number;
  /** The whole cluster, this process included. */
  readonly nodes: readonly NodeState[];
  /** How it was started. */
  readonly args: readonly string[];
  readonly cwd: string;
  /** The longest a stop takes, in seconds. */
  readonly stopS: number;
}

export interface ChannelCount {
  readonly name: string;
  readonly type: ChannelKind;
  readonly subscribers: number;
}

export interface AppStats {
  readonly id: string;
  readonly name: string;
  /** In the whole cluster. */
  readonly connections: number;
  /** The same, the fullest first. */
  readonly channels: readonly ChannelCount[];
}

export interface Stats {
  /** Of the whole cluster. */
  readonly connections: number;
  readonly apps: readonly AppStats[];
}

interface StatusSource extends Pick<Status, "startedAtMs" | "lagMs"> {
  readonly hub: Hub;
  readonly readyState: ReadyState;
  /** Of a process that leaves its clients to its workers: those. */
  readonly pids?: readonly number[];
}

interface StatusContext {
  readonly config: Config;
  readonly launch: LaunchOptions;
}

export async function serverStatus(
  running: StatusSource,
  { config, launch }: StatusContext,
  urls: Pick<Status, "url" | "apiUrl">,
): Promise<Status> {
  const { hub, readyState, startedAtMs, lagMs } = running;
  const nodes = await nodesOf(hub);
  const { usedBytes, markBytes } = readyState.memory;
  return {
    pid: process.pid,
    version: manifest.version,
    url: `${urls.url}${config.path}`,
    apiUrl: `${urls.apiUrl}${config.path}`,
    mode: config.mode,
    daemon: launch.daemon ?? false,
    startedAtMs,
    connections: connectionsOf(running, nodes),
    memory: { usedBytes, ...(Number.isFinite(markBytes) && { markBytes: Math.floor(markBytes) }) },
    lagMs,
    draining: readyState.isDraining,
    stopping: readyState.isDraining && !readyState.keepsRunning,
    unready: unreadyReasons(readyState),
    workers: config.workers,
    apps: config.apps.length,
    nodes,
    args: process.argv.slice(2),
    cwd: process.cwd(),
    stopS: config.drainDelayS + config.drainTimeoutS,
  };
}

export async function serverStats(hub: Hub, apps: readonly App[], isAll: boolean): Promise<Stats> {
  const stats = await Promise.all(apps.map((app) => appStats(hub, app)));
  const nodes = isAll ? await nodesOf(hub) : [];
  const here = stats.reduce((sum, { connections }) => sum + connections, 0);
  const everywhere = nodes.reduce((sum, { connections }) => sum + connections, 0);
  return { connections: Math.max(here, everywhere), apps: stats };
}

async function appStats(hub: Hub, app: App): Promise<AppStats> {
  const channels = (await hub.channels(app)).map(({ name, subscribers }) => {
    return { name, type: kindOf(hub.channelOf(app, name).traits), subscribers };
  });
  channels.sort((one, other) => other.subscribers - one.subscribers || (one.name < other.name ? -1 : 1));
  return { id: app.id, name: app.name, connections: await hub.clusterConnectionCount(app), channels };
}

/** Those of a process with workers are with them; each is a node that is called by its process. */
function connectionsOf({ hub, pids }: StatusSource, nodes: readonly NodeState[]): number {
  if (!pids) return hub.connectionCount;
  const names = new Set(pids.map((pid) => nodeName(pid)));
  return nodes.reduce((sum, { name, connections }) => sum + (names.has(name) ? connections : 0), 0);
}

/** An engine that is away says nothing of the others; then the rest is worth telling all the same. */
async function nodesOf(hub: Hub): Promise<readonly NodeState[]> {
  try {
    return await hub.nodes();
  } catch {
    return [];
  }
}
