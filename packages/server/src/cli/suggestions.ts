/** What to say to a command or an option that does not exist: the one that is meant, where another server has it. */

import type { Command } from "commander";
import { closestName } from "../config/config-error.ts";
import { CliError } from "./errors.ts";

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

export function unknownCommand(words: readonly string[], program: Command): CliError {
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
export function plainError(text: string): string {
  const sentence = text
    .trim()
    .replace(/^error: /, "")
    .replaceAll(/\s+/g, " ")
    .replace(/ \(Did you mean (.*)\?\)$/, ": did you mean $1?");
  const [, option = ""] = /^unknown option '([^'=]+)/.exec(sentence) ?? [];
  const advice = OPTIONS_OF_OTHER_SERVERS[option];
  return `fanfare: ${advice === undefined ? sentence : `there is no option "${option}" here: ${advice}`}\n`;
}
