/** `fanfare cluster up`: several nodes on this machine that are one server, for trying a cluster out. */

import { randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { withDemoApp } from "../../config/demo-app.ts";
import type { Config } from "../../config/load.ts";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import { dashboardKey, dashboardKeyFile } from "../../config/state-file.ts";
import { loadHere } from "../config-flags.ts";
import { originalEnvironment, ownCommand } from "../daemon/own-process.ts";
import { STOP_WITH_THIS_PROCESS, stopRequested } from "../daemon/signals.ts";
import { SupervisedProcess } from "../daemon/supervised-process.ts";
import { CliError } from "../errors.ts";
import { call } from "../http.ts";

const MAX_NODES = 64;
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

/** Resolves when all have stopped. */
export async function clusterUp({ nodes, port, redisUrl, config: file }: UpOptions): Promise<void> {
  const { config: read } = await loadHere({ file });
  const { config, demoFile } = await withDemoApp(read);
  const count = wholeNumber("--nodes", nodes, MAX_NODES);
  const firstPort = port === undefined ? config.port : wholeNumber("--port", port, LAST_PORT);
  if (firstPort === 0 || firstPort + count - 1 > LAST_PORT) {
    throw new CliError(`${count} nodes need as many ports from --port on, and the last one is ${LAST_PORT}`);
  }
  // Nodes are reloaded one by one: `fanfare reload --state-dir`.
  const stopping = stopRequested({ onReload: () => {} }).then(() => true);
  const redis = await redisFor(config, redisUrl);
  const shared = { config, file, demoFile, redisUrl: redis.url };
  const running: Node[] = [];
  try {
    for (let index = 0; index < count; index++) running.push(startNode(index + 1, firstPort + index, shared));
    const started = Promise.all(running.map(isReady));
    // Stopped before they are all ready, the command does not wait for the rest.
    started.catch(() => {});
    if (await Promise.race([started.then(() => false), stopping])) return;
    console.log("Ctrl+C stops all of them.");
    await stopping;
  } finally {
    const graceMs = (config.drainDelayS + config.drainTimeoutS) * 1000 + STOP_MS;
    await Promise.all(running.map(({ process }) => process.stop(graceMs)));
    await redis.process?.stop(STOP_MS);
  }
}

interface Node {
  readonly number: number;
  /** http: or https:. */
  readonly url: string;
  readonly process: SupervisedProcess;
}

interface Shared {
  readonly config: Config;
  readonly file: string | undefined;
  readonly demoFile: string | undefined;
  readonly redisUrl?: string | undefined;
}

/** Each has a state of its own; a demo app and the key to the dashboard are the same for all. */
function startNode(number: number, port: number, { config, file, demoFile, redisUrl }: Shared): Node {
  const { host, path, tls } = config;
  const stateDir = join(resolve(config.stateDir, "cluster"), `node-${number}`);
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}${path}`;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  if (demoFile !== undefined) copyFileSync(demoFile, join(stateDir, "demo-app.json"));
  // One key for all of them: cookies do not tell ports apart.
  dashboardKey(config.stateDir);
  copyFileSync(dashboardKeyFile(config.stateDir), dashboardKeyFile(stateDir));
  const settings = {
    "--port": String(port),
    "--state-dir": stateDir,
    "--pid-file": join(stateDir, "fanfare.pid"),
    "--engine": "redis",
    "--host": isUnixSocketPath(host) ? "127.0.0.1" : host,
    "--node-url": url.replace(/^http/, "ws"),
    ...(file !== undefined && { "--config": file }),
  };
  const command = ownCommand(["serve", ...Object.entries(settings).flat()]);
  const redis = redisUrl === undefined ? {} : { FANFARE_REDIS_URL: redisUrl };
  const env = { ...originalEnvironment(), ...STOP_WITH_THIS_PROCESS, ...redis };
  return { number, url, process: new SupervisedProcess({ name: `node ${number}`, command, env }) };
}

/** Prints where the node is when it takes clients. Throws CliError where it ends before, or never does. */
async function isReady({ number, url, process: node }: Node): Promise<void> {
  const untilMs = performance.now() + START_MS;
  let why = "it does not answer";
  while (performance.now() < untilMs) {
    if (!node.isRunning) throw new CliError(`node ${number} does not start at ${url}; what is wrong is said above`);
    const answer = await call(`${url}/ready`, { tls: { rejectUnauthorized: false } }).catch(() => undefined);
    if (answer?.ok) return console.log(`node ${number}  ${url}  (process ${node.pid})`);
    if (answer) why = answer.text.slice(0, 500);
    await Bun.sleep(100);
  }
  throw new CliError(`node ${number} at ${url} is not ready after ${START_MS / 1000} s: ${why}`);
}

async function redisFor(config: Config, named: string | undefined): Promise<Partial<TemporaryRedis>> {
  if (named === undefined) {
    // What is configured, the nodes read themselves.
    return config.engine === "redis" ? {} : startTemporaryRedis();
  }
  if (/^rediss?:\/\/\S+$/.test(named)) return { url: named };
  throw new CliError("--redis-url is an address that begins with redis:// or rediss://");
}

function wholeNumber(flag: string, text: string, most: number): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new CliError(`${flag} is a whole number from 1 to ${most}, not ${JSON.stringify(text)}`);
}

const PROGRAMS = ["redis-server", "valkey-server"];
const READY_MS = 10_000;

interface TemporaryRedis {
  readonly url: string;
  readonly process: SupervisedProcess;
}

/** On this machine alone, behind a password, and nothing of it stays. Throws CliError where none is installed, or it does not start. */
async function startTemporaryRedis(): Promise<TemporaryRedis> {
  const program = PROGRAMS.map((name) => Bun.which(name)).find((path) => path !== null);
  if (!program) {
    throw new CliError(
      "a cluster needs a Redis, and neither redis-server nor valkey-server is installed: install one, or name a running one with --redis-url redis://host:6379",
    );
  }
  const port = freePort();
  const password = randomBytes(24).toString("hex");
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${tmpdir()}`,
    'save ""',
    "appendonly no",
  ];
  // Where there is such a thing, Redis ends with this process, however that ends.
  const setpriv = Bun.which("setpriv");
  const bound = setpriv === null ? [] : [setpriv, "--pdeathsig", "TERM"];
  // It reads its configuration, with the password in it, from the standard input.
  const [first = program, ...rest] = [...bound, program, "-"];
  const process = new SupervisedProcess({ name: "Redis", command: [first, ...rest], input: `${lines.join("\n")}\n` });
  if (await answers(port, process)) return { url: `redis://:${password}@127.0.0.1:${port}`, process };
  await process.stop(0);
  throw new CliError(`${program} does not start: start one yourself, and name it with --redis-url`);
}

async function answers(port: number, process: SupervisedProcess): Promise<boolean> {
  const untilMs = performance.now() + READY_MS;
  while (performance.now() < untilMs && process.isRunning) {
    try {
      (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })).end();
      return true;
    } catch {
      await Bun.sleep(50);
    }
  }
  return false;
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  probe.stop(true);
  return probe.port;
}
