/** What to say to a command or an option that does not exist: what it is called here, where another server has it. */

import type { Command } from "commander";
import { closestName } from "../config/config-error.ts";
import { CliError } from "./errors.ts";

/** Commands of Alphavel, Sentixtech, Ody, laravel-websockets, Reverb and soketi, and what people type by habit. */
const COMMANDS_OF_OTHER_SERVERS = new Map([
  ["start", "fanfare serve"],
  ["run", "fanfare serve"],
  ["up", "fanfare serve"],
  ["websocket", "fanfare serve"],
  ["websocket start", "fanfare serve"],
  ["websocket:serve", "fanfare serve"],
  ["websocket:start", "fanfare serve"],
  ["websocket:stop", "fanfare stop"],
  ["websocket:reload", "fanfare reload"],
  ["websocket:restart", "fanfare restart"],
  ["websocket:stats", "fanfare stats"],
  ["websockets:serve", "fanfare serve"],
  ["websockets:restart", "fanfare restart"],
  ["websockets:clean", "fanfare statistics clean"],
  ["websockets:flush", "fanfare statistics flush"],
  ["reverb:start", "fanfare serve"],
  ["reverb:restart", "fanfare restart"],
  ["reverb:install", "fanfare init"],
  ["soketi", "fanfare serve"],
]);

const OPTIONS_OF_OTHER_SERVERS = new Map([
  ["--disable-statistics", "type `--statistics-enabled false`"],
  ["--statistics-interval", "type `--statistics-interval-s SECONDS`"],
  ["--loop", "leave it out: there is one event loop"],
  ["--cache-store", "leave it out: workers need no cache to be told things by"],
  ["--hostname", "type `--node-url wss://NAME` for the name that clients use, `--host` for the address to listen on"],
]);

export function unknownCommand(words: readonly string[], program: Command): CliError {
  const [name = "", second = ""] = words;
  const typed = [`${name} ${second}`, name].find((one) => COMMANDS_OF_OTHER_SERVERS.has(one));
  if (typed !== undefined)
    return new CliError(`there is no command "${typed}" here: type \`${COMMANDS_OF_OTHER_SERVERS.get(typed)}\``);
  const known = program.commands.map((command) => command.name());
  const meant = closestName(name, known);
  const hint = meant === undefined ? `use one of ${known.join(", ")}` : `did you mean ${meant}?`;
  return new CliError(`unknown command ${JSON.stringify(name)}: ${hint}`);
}

/** What Commander says, which knows nothing of other servers. */
export function plainError(text: string): string {
  const sentence = text
    .trim()
    .replace(/^error: /, "")
    .replaceAll(/\s+/g, " ")
    .replace(/ \(Did you mean (.*)\?\)$/, ": did you mean $1?");
  const [, option = ""] = /^unknown option '([^'=]+)/.exec(sentence) ?? [];
  const here = OPTIONS_OF_OTHER_SERVERS.get(option);
  return `fanfare: ${here === undefined ? sentence : `there is no option "${option}" here: ${here}`}\n`;
}
