/** The help of `fanfare serve`, which has a flag for every setting: the common ones on one screen, all with `--help-all`. */

import type { Command } from "commander";

/** What most people ever set here. */
const COMMON = new Set(
  ["daemon", "debug", "config", "host", "port", "workers", "mode", "state-dir", "engine", "help", "help-all"].map(
    (name) => `--${name}`,
  ),
);

export function shortenHelp(command: Command): void {
  const { visibleOptions, optionDescription } = command.createHelp();
  let isWhole = false;
  command.on("option:help-all", () => {
    isWhole = true;
    command.help();
  });
  command.option("--help-all", "print every option").configureHelp({
    visibleOptions(asked) {
      const all = visibleOptions.call(this, asked);
      return isWhole ? all : all.filter(({ long }) => COMMON.has(long ?? ""));
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
  const lowered = clause.charAt(0).toLowerCase() + clause.slice(1);
  return initial === undefined ? lowered : `${lowered} (default ${initial})`;
}
