/**
 * What completes a word of the command line, read from commander's own commands, and the scripts that have bash, zsh and
 * fish ask for it: they run `fanfare complete -- WORDS`, and get one word a line with a sentence behind a tab.
 */

import type { Command, Option } from "commander";

/** Printed in place of words where the shell has to offer files. */
const FILES = "<file>";

const BASH = `# Completion of fanfare for bash. To have it in this shell: source <(fanfare completion bash)
# To have it in every shell: fanfare completion bash > ~/.local/share/bash-completion/completions/fanfare
_fanfare() {
  local IFS=$'\\n' word="\${COMP_WORDS[COMP_CWORD]}" found
  [ "$word" = "=" ] && word=""
  found="$(fanfare complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)"
  if [ "$found" = "${FILES}" ]; then
    COMPREPLY=($(compgen -f -- "$word"))
    compopt -o filenames 2>/dev/null
  else
    COMPREPLY=($found)
  fi
  return 0
}
complete -F _fanfare fanfare
`;

const ZSH = `#compdef fanfare
# Completion of fanfare for zsh. To have it in this shell: source <(fanfare completion zsh)
# To have it in every shell: fanfare completion zsh > a file called _fanfare in a folder of $fpath
_fanfare() {
  local -a found
  found=("\${(@f)$(fanfare complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ "\${found[1]}" == "${FILES}" ]] && _files && return
  found=("\${(@)found/$'\\t'/:}")
  _describe fanfare found
}
# Loaded from $fpath it is the completion itself; sourced it has to be announced.
if [ "$funcstack[1]" = "_fanfare" ]; then _fanfare "$@"; else compdef _fanfare fanfare; fi
`;

const FISH = `# Completion of fanfare for fish: fanfare completion fish > ~/.config/fish/completions/fanfare.fish
function __fanfare
    set -l found (fanfare complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found" = "${FILES}"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c fanfare -f -a "(__fanfare)"
`;

export function completionScript(_options: object, shell: "bash" | "zsh" | "fish"): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell].trimEnd();
}

/** The last of the words is the one to be completed. */
export function candidates(program: Command, words: readonly string[]): string[] {
  const typed = words.slice(0, -1);
  const word = words.at(-1) ?? "";
  // Bash takes the = of --option=value for a word.
  if (word === "=") return candidates(program, [...words, ""]);
  const before = typed.at(-1) === "=" ? typed.at(-2) : typed.at(-1);
  const command = commandOf(program, typed);
  const options = optionsOf(command, program);
  const option = options.find(({ long, short }) => before === long || before === short);
  // A value that may be left out is never completed in place of the next option.
  const all = option?.required
    ? valuesOf(option)
    : word.startsWith("-")
      ? options.flatMap(named)
      : below(command, typed);
  return all.filter((one) => one === FILES || one.startsWith(word));
}

function commandOf(program: Command, typed: readonly string[]): Command {
  return typed.reduce((command, word) => command.commands.find((one) => one.name() === word) ?? command, program);
}

/** With those of the default command before any other is named, and those that `token inspect` takes from `token`. */
function optionsOf(command: Command, program: Command): Option[] {
  const start = command === program ? program.commands.find((one) => one.name() === "serve") : command.parent;
  const shared = start === program || start === undefined || start === null ? [] : start.options;
  const all = [...command.createHelp().visibleOptions(command), ...command.options, ...shared];
  return [...new Map(all.toReversed().map((option) => [option.long ?? option.flags, option])).values()].toReversed();
}

/** Commands, and what the first argument may be where that is known. After `help` comes the name of a command. */
function below(command: Command, typed: readonly string[]): string[] {
  const isHelp = typed.at(-1) === "help";
  const commands = command.createHelp().visibleCommands(command);
  const names = commands
    .filter((one) => !isHelp || one.name() !== "help")
    .map((one) => described(one.name(), one.description()));
  return [...names, ...(command.registeredArguments[0]?.argChoices ?? [])];
}

function valuesOf({ argChoices, flags }: Option): readonly string[] {
  return argChoices ?? (/<[^>]*file>/.test(flags) ? [FILES] : []);
}

function named({ long, short, description }: Option): string[] {
  return [long, short].filter((name) => typeof name === "string").map((name) => described(name, description));
}

/** The first sentence is enough beside a word. */
function described(name: string, text: string): string {
  const [sentence = ""] = text.split(/(?<=[.;:])\s|\s\(/, 1);
  return `${name}\t${sentence.replace(/[.;:]$/, "")}`;
}
