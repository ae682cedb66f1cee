/** How a command is described in the table of commands. */

import type { Command } from "commander";
import type { Output } from "./output.ts";

/** Takes the options and the arguments as commander read them. */
export type Action = (options: never, ...args: never[]) => Promise<Output> | Promise<void> | Output;

export type OptionSpec = readonly [
  flags: string,
  description: string,
  more?: { readonly default?: string; readonly choices?: readonly string[]; readonly conflicts?: string },
];

export interface CommandSpec {
  readonly description: string;
  readonly arguments?: readonly (readonly [name: string, description: string, choices?: readonly string[]])[];
  /** A flag for every setting, or for these. */
  readonly settings?: "all" | readonly string[];
  readonly options?: readonly OptionSpec[];
  /** Stands in the help before the examples. */
  readonly notes?: string;
  readonly examples?: readonly string[];
  readonly prepare?: (command: Command) => void;
  /** Absent for a group. */
  readonly load?: () => Promise<Action>;
}
