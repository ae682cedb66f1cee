/** `fanfare serve`: starts the server, says where it is, and stops it when it is told to. */

import { networkInterfaces } from "node:os";
import type { Command } from "commander";
import manifest from "../../../package.json" with { type: "json" };
import { type Config, loadConfig } from "../../config/load.ts";
import { ownMark } from "../../server/workers/mark.ts";
import { banner } from "../banner.ts";
import { CliError } from "../failure.ts";
import { addConfigFlags, readConfigFlags } from "../flags.ts";
import { unknownCommand } from "../suggest.ts";

export function addServe(program: Command): void {
  const command = program.command("serve", { isDefault: true }).description("start the server (the default command)");
  addConfigFlags(command)
    .allowExcessArguments()
    .usage("[options]")
    .addHelpText("after", EXAMPLE)
    .action(async () => {
      // Whatever is no command arrives here, serve being the default.
      const [stray] = command.args;
      if (stray !== undefined) throw unknownCommand(stray, program);
      await serve(command);
    });
}

const EXAMPLE = `
Example:
  $ fanfare serve --port 8080 --log-level debug

Every option is also an environment variable and a key of the configuration file: see docs/configuration.md.`;

/** Resolves when the server has stopped. */
async function serve(command: Command): Promise<void> {
  if (ownMark !== undefined) return work();
  const { config, sources } = await loadConfig({ ...readConfigFlags(command), env: process.env, cwd: process.cwd() });
  if (!config.enabled) {
    console.log(`${manifest.name} is disabled (${sources.get("enabled") ?? "enabled"}): nothing is started`);
    return;
  }
  // Only this command needs the server: the others start faster without it.
  const { createServer } = await import("../../index.ts");
  const server = createServer(config);
  const toldToStop = signalled();
  await server.start().catch((error: unknown) => {
    throw startFailure(error, config);
  });
  // A log was renamed. At a terminal it would mean that the terminal is gone, and ends the server as ever.
  if (!process.stdin.isTTY) process.on("SIGHUP", () => server.reopenLogs());
  const { apps, port, maxConnections, demoFile } = server;
  const started = { name: manifest.name, version: manifest.version, config: { ...config, apps }, port, maxConnections };
  const place = { addresses: lanAddresses(), ...(demoFile === undefined ? {} : { demoFile }) };
  console.log(banner({ ...started, ...place }));
  await toldToStop;
  await server.stop();
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

function startFailure(error: unknown, { host, port }: Config): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return new CliError(
        `port ${port} is already in use on ${host}: stop the other program or choose another with --port`,
      );
    case "EACCES":
      return new CliError(
        `port ${port} on ${host} may not be opened by this user: choose one from 1024 up with --port`,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new CliError(`${host} is no address of this machine: choose another with --host`);
  }
  return error;
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function signalled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let firstMs: number | undefined;
  const onSignal = () => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      resolve();
    } else if (performance.now() - firstMs > ECHO_MS) {
      process.exit(130);
    }
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return promise;
}

/** One Ctrl+C arrives several times: from the terminal, from npm and from the launcher, each passing it on. */
const ECHO_MS = 500;

function lanAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => address);
}
