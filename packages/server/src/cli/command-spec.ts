/** How a command is described in the table of commands, and the options and arguments that several have. */

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
  /** Absent for a group. */
  readonly load?: () => Promise<Action>;
}

export const AS_JSON: OptionSpec = ["--json", "print JSON"];
const SECRETS: readonly OptionSpec[] = [
  ["--key <key>", "the app's key"],
  ["--secret <secret>", "the app's secret"],
];
export const APP: readonly OptionSpec[] = [
  ["--app <id or key>", "the app, by its id or its key (default: the first one configured, else the demo app)"],
  ["-c, --config <file>", "take the app from this configuration file"],
];
export const SIGNER: readonly OptionSpec[] = [...APP, ...SECRETS, AS_JSON];
export const TARGET: readonly OptionSpec[] = [
  ["--url <url>", "the server (default: the one that runs or is configured here, else http://127.0.0.1:9501)"],
  ...APP,
  ...SECRETS,
];
export const LOCATION: readonly OptionSpec[] = [
  ["-c, --config <file>", "find the server by this configuration file"],
  ["--state-dir <folder>", "the server's stateDir (default: what is configured here, else .fanfare)"],
  ["--pid-file <file>", "the server's pid file (default: what is configured here, else fanfare.pid in stateDir)"],
];
export const STOPPING: readonly OptionSpec[] = [
  ["--timeout <seconds>", "give up waiting after so long (default: as long as its clients have to leave, and 10 s)"],
  ["--force", "kill it when the time is up; clients that are left lose their connection without a close reason"],
];
export const DATABASE = ["database.url", "stateDir"];
export const OUTBOX = ["outbox"];
export const SOURCE: OptionSpec = ["--source <name>", "only this source (outbox[].name, or its table's name)"];
export const SIGNATURE: OptionSpec = ["--signature <key:hex>", "a signature to compare with"];
export const APP_SETTINGS: OptionSpec = ["--settings <json>", "settings as in a configuration file, in JSON"];
/** Of a new configuration file. */
export const FORMATS = ["ts", "json", "yaml", "toml"] as const;
export const ID = ["<id>", "the app"] as const;
