/** Builds commander's program from the table of commands, and says what is meant by a command or an option that does not exist. */

import { Command, Option } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { closestName } from "../config/config-error.ts";
import type { Action, CommandSpec, OptionSpec } from "./command-spec.ts";
import { commands } from "./commands.ts";
import { CliError } from "./errors.ts";
import { print } from "./output.ts";

type ConfigFlags = typeof import("./config-flags.ts");

const EXAMPLE = `
Example:
  $ fanfare serve --port 8080

Each command has its own help: fanfare listen --help`;

/** Given the words that were typed, without the flags of settings where their command has none: those need the schema. */
export async function buildProgram(words?: readonly string[]): Promise<Command> {
  const program = new Command("fanfare");
  program
    .description("Self-hosted real-time server: Pusher clients and plain WebSocket clients through one port.")
    .version(manifest.version, "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", EXAMPLE)
    .configureOutput({ outputError: (text, write) => write(plainError(text)) })
    .exitOverride();
  const needsFlags = words === undefined || takesSettings(words);
  const flags = needsFlags ? await import("./config-flags.ts") : undefined;
  for (const [name, spec] of Object.entries(commands)) addCommand(program, name, spec, flags);
  return program;
}

/** Whether they are for a command that has flags for settings; without a command's name they are for `serve`. */
function takesSettings(words: readonly string[]): boolean {
  const name = words.find((word) => !word.startsWith("-") && word !== "help");
  const named = Object.entries(commands).filter(([full]) => full.split(" ", 1)[0] === name);
  if (named.length > 0) return named.some(([, { settings }]) => settings !== undefined);
  return !words.some((word) => /^(help|--help|-h|--version|-v)$/.test(word));
}

/** Asked for the help of a command that is none, commander prints that of the whole. */
export function checkCommand(program: Command, args: readonly string[]): void {
  const words = args[0] === "help" ? args.slice(1) : args;
  const [named] = words;
  if (named === undefined || named === "" || named.startsWith("-") || named === "help") return;
  if (program.commands.every((command) => command.name() !== named)) throw unknownCommand(words, program);
}

function addCommand(program: Command, name: string, spec: CommandSpec, flags: ConfigFlags | undefined): void {
  const [first = "", second] = name.split(" ");
  const parent = second === undefined ? program : program.commands.find((one) => one.name() === first);
  if (parent === undefined) throw new Error(`${name} comes before its group`);
  const isDefault = name === "serve";
  const command = parent.command(second ?? first, { isDefault });
  // What names no command arrives at the default one.
  command.description(spec.description).allowExcessArguments(isDefault);
  for (const [name, description, choices] of spec.arguments ?? []) {
    const argument = command.createArgument(name, description);
    command.addArgument(choices === undefined ? argument : argument.choices(choices));
  }
  for (const option of spec.options ?? []) command.addOption(optionOf(option));
  if (spec.settings !== undefined) {
    command.option("-c, --config <file>", "read this configuration file and look for no other");
    flags?.addConfigFlags(command, spec.settings === "all" ? undefined : spec.settings);
    if (isDefault) flags?.shortenHelp(command);
  }
  command.addHelpText("after", helpOf(spec));
  if (spec.load !== undefined) runs(command, program, spec.load);
}

function optionOf([flags, description, { choices, conflicts, ...more } = {}]: OptionSpec): Option {
  const option = new Option(flags, description);
  if (choices !== undefined) option.choices(choices);
  if (conflicts !== undefined) option.conflicts(conflicts);
  if (more.default !== undefined) option.default(more.default);
  return option;
}

function helpOf({ notes, examples = [] }: CommandSpec): string {
  const lines = examples.map((example) => `\n  $ ${example}`);
  const shown = lines.length === 0 ? "" : `\nExample${lines.length === 1 ? "" : "s"}:${lines.join("")}`;
  return notes === undefined ? shown : `\n${notes}\n${shown}`;
}

function runs(command: Command, program: Command, load: () => Promise<Action>): void {
  command.action(async (...given: unknown[]) => {
    const count = command.registeredArguments.length;
    if (count === 0 && command.args.length > 0) throw unknownCommand(command.args, program);
    const action = (await load()) as (options: object, ...args: unknown[]) => ReturnType<Action>;
    const options = command.optsWithGlobals<{ json?: true }>();
    print(await action(options, ...given.slice(0, count)), options.json === true);
  });
}

/** Commands of Alphavel, Sentixtech, Ody, laravel-websockets, Reverb and soketi, and what people type by habit. */
const COMMANDS_OF_OTHER_SERVERS = {
  serve: [
    ...["start", "run", "up", "soketi", "reverb:start", "websockets:serve"],
    ...["websocket", "websocket start", "websocket:serve", "websocket:start"],
  ],
  stop: ["websocket:stop"],
  reload: ["websocket:reload"],
  restart: ["websocket:restart", "websockets:restart", "reverb:restart"],
  stats: ["websocket:stats"],
  init: ["reverb:install"],
  "statistics clean": ["websockets:clean"],
  "statistics flush": ["websockets:flush"],
};

const OPTIONS_OF_OTHER_SERVERS: Readonly<Record<string, string>> = {
  "--disable-statistics": "type `--statistics-enabled false`",
  "--statistics-interval": "type `--statistics-interval-s SECONDS`",
  "--loop": "leave it out: there is one event loop",
  "--cache-store": "leave it out: workers need no cache to talk to each other",
  "--hostname": "type `--node-url wss://NAME` for the name that clients use, `--host` for the address to listen on",
};

/** The one that is meant, where another server has it. */
function unknownCommand(words: readonly string[], program: Command): CliError {
  const [name = "", second = ""] = words;
  for (const typed of [`${name} ${second}`, name]) {
    const ours = Object.entries(COMMANDS_OF_OTHER_SERVERS).find(([, theirs]) => theirs.includes(typed))?.[0];
    if (ours !== undefined) return new CliError(`there is no command "${typed}" here: type \`fanfare ${ours}\``);
  }
  const known = program.commands.map((command) => command.name());
  const meant = closestName(name, known);
  const hint = meant === undefined ? `use one of ${known.join(", ")}` : `did you mean ${meant}?`;
  return new CliError(`unknown command ${JSON.stringify(name)}: ${hint}`);
}

/** One line in place of commander's, which knows nothing of other servers. */
function plainError(text: string): string {
  const sentence = text
    .trim()
    .replace(/^error: /, "")
    .replaceAll(/\s+/g, " ")
    .replace(/ \(Did you mean (.*)\?\)$/, ": did you mean $1?");
  const [, option = ""] = /^unknown option '([^'=]+)/.exec(sentence) ?? [];
  const advice = OPTIONS_OF_OTHER_SERVERS[option];
  return `fanfare: ${advice === undefined ? sentence : `there is no option "${option}" here: ${advice}`}\n`;
}
