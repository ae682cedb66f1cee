/** `fanfare serve`: starts the server, says where it is, and stops it when it is asked to. */

import { fileURLToPath } from "node:url";
import manifest from "../../../package.json" with { type: "json" };
import { withSource } from "../../config/config-error.ts";
import { type Config, ConfigError, type ConfigInput, type Sources } from "../../config/load.ts";
import { defaultDatabaseUrl } from "../../config/schema/storage.ts";
import { messageOf } from "../../domain/thrown.ts";
import { controlPath } from "../../server/lifecycle/control-socket.ts";
import type { LaunchOptions } from "../../server/lifecycle/status.ts";
import type { Server } from "../../server/server.ts";
import { networkAddresses } from "../../server/system/machine.ts";
import { ListenError } from "../../server/websocket/listen-error.ts";
import { workerIdentity } from "../../server/workers/ipc-messages.ts";
import { banner } from "../banner.ts";
import { loadHere, readConfigFlags } from "../config-flags.ts";
import { backgroundReport, startInBackground } from "../daemon/background.ts";
import { findServer, logPath, outputPath } from "../daemon/location.ts";
import { originalEnvironment, ownCommand, runOwn } from "../daemon/own-process.ts";
import { alreadyRunning, claimPidFile, pidFilePath } from "../daemon/pid-file.ts";
import { stopRequested } from "../daemon/signals.ts";
import { releaseStartupMemory } from "../daemon/startup-memory.ts";
import { CliError } from "../errors.ts";
import { fieldOf, parseJson } from "../json.ts";

const READER = fileURLToPath(import.meta.resolve("#read-config"));
const READ_MS = 30_000;

interface ServeOptions {
  readonly daemon?: true;
  readonly debug?: true;
}

/** Resolves when the server has stopped, or runs in the background. */
export async function serve(options: ServeOptions): Promise<void> {
  if (workerIdentity !== undefined) return work();
  const report = backgroundReport();
  try {
    await run(options, report !== undefined, (text) => (report ? report({ banner: text }) : console.log(text)));
  } catch (error) {
    report?.({ error: messageOf(error) });
    throw error;
  }
}

async function run(options: ServeOptions, isDaemon: boolean, print: (text: string) => void): Promise<void> {
  const { flags, ...file } = readConfigFlags(options);
  const sources = { ...file, flags: options.debug ? { ...flags, "log.level": "debug" } : flags };
  const { config: read, sources: origins, warnings } = await loadHere(sources);
  if (!read.enabled) {
    return print(`${manifest.name} is disabled (${origins.get("enabled") ?? "enabled"}): nothing is started`);
  }
  if (options.daemon && !isDaemon) {
    return print(await startInBackground({ args: process.argv.slice(2), output: outputPath(read.stateDir) }));
  }
  const served = <C extends ServedConfig>(config: C) => asServed(config, read.stateDir, isDaemon);
  const launch = { daemon: isDaemon, source: configSource(sources, served) };
  await listenUntilStopped({ config: served(read), launch, warnings, hostFrom: origins.get("host"), print });
}

interface Serving {
  readonly config: Config;
  readonly launch: LaunchOptions & { readonly daemon: boolean };
  readonly warnings: readonly string[];
  readonly hostFrom: string | undefined;
  readonly print: (text: string) => void;
}

async function listenUntilStopped({ config, launch, warnings, hostFrom, print }: Serving): Promise<void> {
  const { daemon: isDaemon } = launch;
  const release = await claimLocation(config, isDaemon);
  try {
    const { createServer } = await import("../../index.ts");
    const server = createServer(config, { ...launch, handleSignals: false });
    const stopping = stopRequested({ onReload: () => void reload(server), isDaemon });
    await server.start().catch((error: unknown) => {
      throw startError(error, hostFrom);
    });
    for (const warning of warnings) server.log.warn(warning);
    const { apps, port, maxConnections, demoFile, dashboardUrl } = server;
    const dashboardKey = URL.parse(dashboardUrl ?? "")?.searchParams.get("key") ?? undefined;
    const info = { config: { ...config, apps }, port, maxConnections, isDaemon, demoFile, dashboardKey };
    print(banner({ ...info, name: manifest.name, version: manifest.version, addresses: networkAddresses() }));
    releaseStartupMemory();
    await stopping;
    await server.stop();
  } finally {
    release();
  }
}

/** No process waits for the answer to a signal: it is in the log. */
async function reload(server: Pick<Server, "reload" | "log">): Promise<void> {
  await server.reload().catch((error: unknown) => {
    server.log.error(`not reloaded, everything is as it was: ${messageOf(error)}`);
  });
}

type ServedConfig = Pick<ConfigInput, "control" | "database" | "log" | "pidFile">;

/** What differs from a server that a program starts: a control socket, a database, and in the background files of its own. */
function asServed<C extends ServedConfig>(config: C, stateDir: string, isDaemon: boolean): C {
  const log = isDaemon ? { file: logPath(stateDir), ...config.log } : config.log;
  const database = { url: defaultDatabaseUrl(stateDir), ...config.database };
  return { ...config, database, control: config.control ?? true, ...(log && { log }) };
}

/** In the background two servers in one place are one too many: no terminal shows what the second one prints. */
async function claimLocation(config: Config, isDaemon: boolean): Promise<() => void> {
  if (!isDaemon && config.pidFile === undefined) return () => {};
  const pidFile = pidFilePath(config);
  const other = isDaemon ? await findServer({ control: controlPath(config.stateDir), pidFile }) : undefined;
  if (other) throw alreadyRunning(other.pid);
  return claimPidFile(pidFile);
}

/** One of several workers: runs with what the first process runs with, which prints and logs what there is to say. */
async function work(): Promise<void> {
  const { createServer } = await import("../../index.ts");
  const { workerOf } = await import("../../server/workers/worker.ts");
  const worker = workerOf(1);
  if (!worker) throw new CliError("the environment of this process is a worker's, but it is none: start it again");
  const { config } = await worker.assigned();
  await createServer(config).start();
  releaseStartupMemory();
  await worker.ended;
}

function startError(error: unknown, hostFrom?: string): unknown {
  if (!(error instanceof ListenError)) return error;
  const { setting, message } = error;
  return new CliError(setting === "port" ? `${message} with --port` : withSource(message, hostFrom));
}

/** Where a running server gets its settings from when it reloads: where it got them from at its start. What it gives throws ConfigError. */
function configSource(
  sources: Pick<Sources, "flags" | "file">,
  served: (config: ConfigInput) => ConfigInput,
): () => Promise<ConfigInput> {
  const env = originalEnvironment();
  const cwd = process.cwd();
  return async () => {
    const stdin = new Blob([JSON.stringify(sources)]);
    const { stdout, stderr, exitCode } = await runOwn(ownCommand([], READER), { cwd, env, stdin, timeout: READ_MS });
    const answer = parseJson(lastLine(stdout));
    const problems = fieldOf(answer, "problems");
    if (Array.isArray(problems)) throw new ConfigError(problems);
    const config = fieldOf(answer, "config");
    if (config) return served(config as ConfigInput);
    throw new ConfigError(
      `the configuration could not be read: ${lastLine(stderr) || `its reader ended with ${exitCode}`}`,
    );
  };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
