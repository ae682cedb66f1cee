/** `fanfare completion`: prints a script that completes commands, options and choices in bash or zsh. */

import type { Command } from "commander";
import { bashScript } from "../completion/bash.ts";
import { places } from "../completion/grammar.ts";
import { zshScript } from "../completion/zsh.ts";

const EXAMPLES = `
Examples:
  $ source <(fanfare completion bash)
  $ fanfare completion zsh > ~/.zfunc/_fanfare`;

export function addCompletion(program: Command): void {
  const command = program.command("completion").description("print a script that completes commands and options");
  command
    .addArgument(command.createArgument("<shell>", "the shell").choices(["bash", "zsh"]))
    .addHelpText("after", EXAMPLES)
    .action((shell: string) => {
      const all = places(program);
      process.stdout.write(shell === "bash" ? bashScript(all) : zshScript(all));
    });
}
