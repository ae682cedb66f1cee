/** The command line: reads what was typed, and turns every failure into one line and an exit code. */

import type { Command } from "commander";
import { dropBunsEnvFile } from "./daemon/own-process.ts";
import { report } from "./errors.ts";
import { buildProgram } from "./program.ts";
import { unknownCommand } from "./suggestions.ts";

export async function main(args: readonly string[]): Promise<number> {
  try {
    if (args[0] === "complete") return await complete(args.slice(args.indexOf("--") + 1));
    const program = await buildProgram(args);
    checkCommand(program, args);
    await program.parseAsync([...args], { from: "user" });
    // A command that has its answer printed may still have to say that the answer is no.
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, /^(debug|trace)$/.test(process.env.FANFARE_LOG_LEVEL ?? ""));
  }
}

/** What the scripts of `fanfare completion` call. */
async function complete(words: readonly string[]): Promise<number> {
  const { candidates } = await import("./completion.ts");
  for (const one of candidates(await buildProgram(), words)) console.log(one);
  return 0;
}

/** Asked for the help of a command that is none, commander prints that of the whole. */
function checkCommand(program: Command, args: readonly string[]): void {
  const words = args[0] === "help" ? args.slice(1) : args;
  const [named] = words;
  if (named === undefined || named === "" || named.startsWith("-") || named === "help") return;
  if (program.commands.every((command) => command.name() !== named)) throw unknownCommand(words, program);
}

if (import.meta.main) {
  dropBunsEnvFile();
  process.exit(await main(process.argv.slice(2)));
}
