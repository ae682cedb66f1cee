/** `fanfare serve`: starts the server, says where it is, and stops it when it is told to. */

import { networkInterfaces } from "node:os";
import type { Command } from "commander";
import manifest from "../../../package.json" with { type: "json" };
import { withSource } from "../../config/config-builder.ts";
import { defaultDatabaseUrl } from "../../config/default-database.ts";
import { type Config, type ConfigInput, loadConfig } from "../../config/load.ts";
import { controlPath } from "../../server/lifecycle/control-socket.ts";
import type { LaunchOptions } from "../../server/lifecycle/status.ts";
import type { Server } from "../../server/server.ts";
import { ListenError } from "../../server/websocket/listen-error.ts";
import { workerIdentity } from "../../server/workers/worker-identity.ts";
import { banner } from "../banner.ts";
import { addConfigFlags, readConfigFlags } from "../config-flags.ts";
import { backgroundReport, startInBackground } from "../daemon/background.ts";
import { configSource } from "../daemon/config-source.ts";
import { findServer, logPath, outputPath } from "../daemon/location.ts";
import { alreadyRunning, claimPidFile, pidFilePath } from "../daemon/pid-file.ts";
import { stopRequested } from "../daemon/signals.ts";
import { CliError } from "../errors.ts";
import { unknownCommand } from "../suggestions.ts";

export function addServe(program: Command): void {
  const command = program.command("serve", { isDefault: true }).description("start the server (the default command)");
  command
    .option("-d, --daemon", "run in the background: the command ends when the server listens")
    .option("--debug", "log each frame, secrets masked");
  addShortHelp(addConfigFlags(command))
    .allowExcessArguments()
    .usage("[options]")
    .addHelpText("after", EXAMPLE)
    .action(async () => {
      // Whatever is no command arrives here, serve being the default.
      if (command.args.length > 0) throw unknownCommand(command.args, program);
      await serve(command);
    });
}

const EXAMPLE = `
Example:
  $ fanfare serve --port 8080 --log-level debug

Each is also a setting and an environment variable: see docs/configuration.md.`;

/** What most people ever set here: the help shows these on one screen, each with the first clause of what it says. */
const COMMON = [
  "daemon",
  "debug",
  "config",
  "host",
  "port",
  "workers",
  "mode",
  "state-dir",
  "engine",
  "help",
  "help-all",
];
const COMMON_FLAGS = new Set(COMMON.map((name) => `--${name}`));

function addShortHelp(command: Command): Command {
  const { visibleOptions, optionDescription } = command.createHelp();
  let isWhole = false;
  command.on("option:help-all", () => {
    isWhole = true;
    command.help();
  });
  return command.option("--help-all", "print every option").configureHelp({
    visibleOptions(asked) {
      const all = visibleOptions.call(this, asked);
      return isWhole ? all : all.filter(({ long }) => COMMON_FLAGS.has(long ?? ""));
    },
    optionDescription(option) {
      return isWhole ? optionDescription.call(this, option) : clauseOf(option.description);
    },
  });
}

/** "Port to listen on; 0 picks a free one. (default 9501, FANFARE_PORT)": "port to listen on (default 9501)". */
function clauseOf(description: string): string {
  const [clause = ""] = description.split(/[;:,.] | \(/);
  const [, initial] = /\(default ([^,]+), /.exec(description) ?? [];
  const said = clause.charAt(0).toLowerCase() + clause.slice(1);
  return initial === undefined ? said : `${said} (default ${initial})`;
}

interface ServeOptions {
  readonly daemon?: true;
  readonly debug?: true;
}

/** Resolves when the server has stopped, or runs in the background. */
async function serve(command: Command): Promise<void> {
  if (workerIdentity !== undefined) return work();
  const report = backgroundReport();
  try {
    await run(command, report !== undefined, (text) => (report ? report({ banner: text }) : console.log(text)));
  } catch (error) {
    report?.({ error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

async function run(command: Command, inBackground: boolean, say: (text: string) => void): Promise<void> {
  const { daemon, debug } = command.opts<ServeOptions>();
  const { flags, ...file } = readConfigFlags(command);
  const sources = { ...file, flags: debug ? { ...flags, "log.level": "debug" } : flags };
  const loaded = await loadConfig({ ...sources, env: process.env, cwd: process.cwd() });
  const { config: read, sources: origins, warnings } = loaded;
  if (!read.enabled) {
    say(`${manifest.name} is disabled (${origins.get("enabled") ?? "enabled"}): nothing is started`);
    return;
  }
  if (daemon && !inBackground) {
    console.log(await startInBackground({ args: process.argv.slice(2), output: outputPath(read.stateDir) }));
    return;
  }
  const served = <C extends ServedConfig>(config: C) => asServed(config, read.stateDir, inBackground);
  const launch = { daemon: inBackground, source: configSource(sources, served) };
  const hostFrom = origins.get("host");
  await listenUntilStopped({ config: served(read), launch, warnings, hostFrom, say });
}

interface Serving {
  readonly config: Config;
  readonly launch: LaunchOptions;
  readonly warnings: readonly string[];
  readonly hostFrom: string | undefined;
  readonly say: (text: string) => void;
}

async function listenUntilStopped({ config, launch, warnings, hostFrom, say }: Serving): Promise<void> {
  const release = await claim(config, launch.daemon ?? false);
  try {
    // Only this command needs the server: the others start faster without it.
    const { createServer } = await import("../../index.ts");
    const server = createServer(config, { ...launch, handleSignals: false });
    const toldToStop = stopRequested({ onReload: () => void reload(server), isDaemon: launch.daemon ?? false });
    await server.start().catch((error: unknown) => {
      throw startFailure(error, hostFrom);
    });
    for (const warning of warnings) server.log.warn(warning);
    const { apps, port, maxConnections, demoFile } = server;
    const { name, version } = manifest;
    const started = {
      name,
      version,
      config: { ...config, apps },
      port,
      maxConnections,
      isDaemon: launch.daemon ?? false,
      dashboardKey: keyIn(server.dashboardUrl),
    };
    say(banner({ ...started, addresses: lanAddresses(), ...(demoFile === undefined ? {} : { demoFile }) }));
    await toldToStop;
    await server.stop();
  } finally {
    release();
  }
}

function keyIn(address = ""): string | undefined {
  return URL.parse(address)?.searchParams.get("key") ?? undefined;
}

/** Nobody waits for the answer to a signal: it is in the log. */
async function reload(server: Pick<Server, "reload" | "log">): Promise<void> {
  await server.reload().catch((error: unknown) => {
    server.log.error(
      `not reloaded, everything is as it was: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
}

type ServedConfig = Pick<ConfigInput, "control" | "database" | "log" | "pidFile">;

/** What differs from a server that a program starts: it can be told things, it remembers, and in the background it has its own files. */
function asServed<C extends ServedConfig>(config: C, stateDir: string, inBackground: boolean): C {
  const log = inBackground ? { file: logPath(stateDir), ...config.log } : config.log;
  const database = { url: defaultDatabaseUrl(stateDir), ...config.database };
  return { ...config, database, control: config.control ?? true, ...(log && { log }) };
}

/** In the background two servers in one place are one too many: nobody sees what the second has to say. */
async function claim(config: Config, inBackground: boolean): Promise<() => void> {
  if (!inBackground && config.pidFile === undefined) return () => {};
  const pidFile = pidFilePath(config);
  const other = inBackground ? await findServer({ control: controlPath(config.stateDir), pidFile }) : undefined;
  if (other) throw alreadyRunning(other.pid);
  return claimPidFile(pidFile);
}

/** One of several workers: runs with what the first process runs with, which says everything there is to say. */
async function work(): Promise<void> {
  const { createServer } = await import("../../index.ts");
  const { workerOf } = await import("../../server/workers/worker.ts");
  const worker = workerOf(1);
  if (!worker) throw new CliError("the environment of this process is a worker's, but it is none: start it again");
  const { config } = await worker.assigned();
  await createServer(config).start();
  await worker.ended;
}

function startFailure(error: unknown, hostFrom?: string): unknown {
  if (!(error instanceof ListenError)) return error;
  const { setting, message } = error;
  return new CliError(setting === "port" ? `${message} with --port` : withSource(message, hostFrom));
}

function lanAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => address);
}
