/** `fanfare cluster up`: several nodes on this machine that are one server, for trying a cluster out. */

import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { dashboardKey, dashboardKeyFile } from "../../config/dashboard-key.ts";
import { withDemoApp } from "../../config/demo-app.ts";
import { type Config, loadConfig } from "../../config/load.ts";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import { startTemporaryRedis, type TemporaryRedis } from "../cluster/redis.ts";
import { SupervisedProcess } from "../cluster/supervised-process.ts";
import { NO_ENV_FILE, originalEnvironment } from "../daemon/own-process.ts";
import { stopRequested } from "../daemon/signals.ts";
import { CliError } from "../errors.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const LEASH = fileURLToPath(new URL("../cluster/leash.ts", import.meta.url));
const MOST_NODES = 64;
const LAST_PORT = 65_535;
/** A machine that starts many nodes at once is slow. */
const START_MS = 60_000;
/** Beyond the drain. */
const STOP_MS = 5_000;

interface UpOptions {
  readonly nodes: string;
  readonly port?: string;
  readonly redisUrl?: string;
  readonly config?: string;
}

export function addCluster(program: Command): void {
  const cluster = program.command("cluster").description("several nodes that are one server");
  const command = cluster
    .command("up")
    .description("start nodes on this machine, on consecutive ports, to try a cluster out");
  command
    .option("--nodes <number>", `how many, 1 to ${MOST_NODES}`, "3")
    .option("--port <number>", "port of the first (default: the one configured here, else 9501)")
    .option("--redis-url <url>", "the Redis they share (default: the one configured here, else one of its own)")
    .option("-c, --config <file>", "read this configuration file and look for no other")
    .addHelpText(
      "after",
      "\nCtrl+C stops all of them; one that ends is started again.\n\nExample:\n  $ fanfare cluster up --nodes 3",
    )
    .action(async () => up(command.opts<UpOptions>()));
}

/** Resolves when all have stopped. */
async function up({ nodes, port, redisUrl, config: file }: UpOptions): Promise<void> {
  const read = await loadConfig({ env: process.env, cwd: process.cwd(), ...(file !== undefined && { file }) });
  const { config, demoFile } = await withDemoApp(read.config);
  // One key for all of them: browsers do not tell ports apart when it comes to cookies.
  dashboardKey(config.stateDir);
  const keyFile = dashboardKeyFile(config.stateDir);
  const count = wholeNumber("--nodes", nodes, MOST_NODES);
  const first = port === undefined ? config.port : wholeNumber("--port", port, LAST_PORT);
  if (first === 0 || first + count - 1 > LAST_PORT) {
    throw new CliError(`${count} nodes need as many ports from --port on, and the last one is ${LAST_PORT}`);
  }
  // Nodes are told to reload one by one: `fanfare reload --state-dir`.
  const told = stopRequested({ onReload: () => {} }).then(() => true);
  const folder = resolve(config.stateDir, "cluster");
  const redis = await redisOf(config, redisUrl, folder);
  const places = Array.from({ length: count }, (_, index) => nodeLocation(config, folder, first + index, index + 1));
  const kept = places.map((place) => nodeAt(place, { file, demoFile, keyFile, url: redis.url, host: config.host }));
  try {
    for (const node of kept) node.start();
    const started = Promise.all(places.map((place, index) => isUp(place, kept[index])));
    // Told to stop before they are all up, nobody waits for the rest.
    started.catch(() => {});
    if (await Promise.race([started.then(() => false), told])) return;
    console.log("Ctrl+C stops all of them.");
    await told;
  } finally {
    const graceMs = (config.drainDelayS + config.drainTimeoutS) * 1000 + STOP_MS;
    await Promise.all(kept.map((node) => node.stop(graceMs)));
    await redis.own?.process.stop(STOP_MS);
    if (redis.own) rmSync(join(folder, "redis"), { recursive: true, force: true });
  }
}

interface NodeLocation {
  readonly number: number;
  readonly port: number;
  readonly stateDir: string;
  /** http: or https:. */
  readonly url: string;
}

function nodeLocation({ tls, path }: Config, folder: string, port: number, number: number): NodeLocation {
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}${path}`;
  return { number, port, stateDir: join(folder, `node-${number}`), url };
}

interface Shared {
  readonly file: string | undefined;
  readonly host: string;
  readonly demoFile: string | undefined;
  readonly keyFile: string;
  readonly url: string | undefined;
}

/** Each with a state of its own; a demo app and the key to the dashboard are the same for all. */
function nodeAt({ number, port, stateDir, url }: NodeLocation, shared: Shared): SupervisedProcess {
  const { file, demoFile, keyFile, url: redis, host } = shared;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  if (demoFile !== undefined) copyFileSync(demoFile, join(stateDir, "demo-app.json"));
  copyFileSync(keyFile, dashboardKeyFile(stateDir));
  const settings = {
    "--port": String(port),
    "--state-dir": stateDir,
    "--pid-file": join(stateDir, "fanfare.pid"),
    "--engine": "redis",
    "--host": isUnixSocketPath(host) ? "127.0.0.1" : host,
    "--node-url": url.replace(/^http/, "ws"),
    ...(file !== undefined && { "--config": file }),
  };
  return new SupervisedProcess({
    name: `node ${number}`,
    command: [process.execPath, NO_ENV_FILE, "--preload", LEASH, MAIN, "serve", ...Object.entries(settings).flat()],
    env: { ...originalEnvironment(), ...(redis !== undefined && { FANFARE_REDIS_URL: redis }) },
    exitsWithParent: true,
    log: (text) => console.log(text),
  });
}

/** Says where the node is when it takes clients. Throws CliError where it ends before, or never does. */
async function isUp({ number, url }: NodeLocation, node: SupervisedProcess | undefined): Promise<void> {
  const untilMs = performance.now() + START_MS;
  let why = "it does not answer";
  while (performance.now() < untilMs) {
    if (!node?.isRunning) throw new CliError(`node ${number} does not start at ${url}; what is wrong is said above`);
    try {
      const answer = await fetch(`${url}/ready`, { tls: { rejectUnauthorized: false } });
      if (answer.ok) return console.log(`node ${number}  ${url}  (process ${node.pid})`);
      why = (await answer.text()).slice(0, 500);
    } catch {
      // Not yet.
    }
    await Bun.sleep(100);
  }
  throw new CliError(`node ${number} at ${url} is not ready after ${START_MS / 1000} s: ${why}`);
}

async function redisOf(
  config: Config,
  named: string | undefined,
  folder: string,
): Promise<{ url?: string; own?: TemporaryRedis }> {
  if (named !== undefined) {
    if (/^rediss?:\/\/\S+$/.test(named)) return { url: named };
    throw new CliError("--redis-url is an address that begins with redis:// or rediss://");
  }
  // What is configured, the nodes read themselves.
  if (config.engine === "redis") return {};
  const own = await startTemporaryRedis(join(folder, "redis"), (text) => console.log(text));
  return { url: own.url, own };
}

function wholeNumber(flag: string, text: string, most: number): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new CliError(`${flag} is a whole number from 1 to ${most}, not ${JSON.stringify(text)}`);
}
