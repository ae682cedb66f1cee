/** The command line: puts the commands together, and turns every failure into one line and an exit code. */

import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { addApps } from "./commands/apps.ts";
import { addCluster } from "./commands/cluster.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfig } from "./commands/config.ts";
import { addDashboard } from "./commands/dashboard.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addDrain } from "./commands/drain.ts";
import { addInit } from "./commands/init.ts";
import { addListen } from "./commands/listen.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addPublish } from "./commands/publish.ts";
import { addReload } from "./commands/reload.ts";
import { addRestart } from "./commands/restart.ts";
import { addServe } from "./commands/serve.ts";
import { addSign } from "./commands/sign.ts";
import { addStatistics } from "./commands/statistics.ts";
import { addStats } from "./commands/stats.ts";
import { addStatus } from "./commands/status.ts";
import { addStop } from "./commands/stop.ts";
import { addToken } from "./commands/token.ts";
import { addWebhooks } from "./commands/webhooks.ts";
import { dropBunsEnvFile } from "./daemon/own-process.ts";
import { report } from "./errors.ts";
import { plainError, unknownCommand } from "./suggestions.ts";

export function buildProgram(): Command {
  const program = new Command("fanfare");
  program
    .description("Self-hosted real-time server: Pusher clients and plain WebSocket clients through one port.")
    .version(manifest.version, "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText(
      "after",
      "\nExample:\n  $ fanfare serve --port 8080\n\nEach command has its own help: fanfare listen --help",
    )
    .configureOutput({ outputError: (text, write) => write(plainError(text)) })
    .exitOverride();
  addServe(program);
  addStop(program);
  addReload(program);
  addDrain(program);
  addRestart(program);
  addStatus(program);
  addStats(program);
  addDashboard(program);
  addInit(program);
  addConfig(program);
  addListen(program);
  addPublish(program);
  addToken(program);
  addSign(program);
  addDoctor(program);
  addMigrate(program);
  addApps(program);
  addWebhooks(program);
  addStatistics(program);
  addCluster(program);
  addCompletion(program);
  return program;
}

/** Asked for the help of a command that is none, Commander prints that of the whole. */
function checkCommand(program: Command, args: readonly string[]): void {
  const words = args[0] === "help" ? args.slice(1) : args;
  const [named] = words;
  if (named === undefined || named === "" || named.startsWith("-") || named === "help") return;
  if (program.commands.every((command) => command.name() !== named)) throw unknownCommand(words, program);
}

export async function main(args: readonly string[]): Promise<number> {
  try {
    const program = buildProgram();
    checkCommand(program, args);
    await program.parseAsync([...args], { from: "user" });
    // A command that has its answer printed may still have to say that the answer is no.
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, process.env, (text) => process.stderr.write(text));
  }
}

if (import.meta.main) {
  dropBunsEnvFile();
  process.exit(await main(process.argv.slice(2)));
}
