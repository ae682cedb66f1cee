/** The command line: reads what was typed, and turns every failure into one line and an exit code. */

import { dropBunsEnvFile } from "./daemon/own-process.ts";
import { report } from "./errors.ts";
import { buildProgram, checkCommand } from "./program.ts";

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

if (import.meta.main) {
  dropBunsEnvFile();
  process.exit(await main(process.argv.slice(2)));
}
