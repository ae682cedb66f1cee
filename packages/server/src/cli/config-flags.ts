/** Gives a command one flag for every setting, and reads the configuration as the server in this folder would, flags included. */

import { type Command, Option } from "commander";
import * as z from "zod/mini";
import { type Loaded, loadConfig, type Sources } from "../config/load.ts";
import { encodeUnlimited } from "../config/parse-value.ts";
import { type Setting, settings } from "../config/settings.ts";

/** Objects have no flag: what is in them has. */
const flagged = settings.filter(({ kind }) => kind !== "object");

/** For every setting, or for these, by their path. */
export function addConfigFlags(command: Command, only?: readonly string[]): void {
  const shown = only ? flagged.filter(({ path }) => only.includes(path)) : flagged;
  for (const setting of shown) command.addOption(optionFor(setting));
}

interface ConfigFlags {
  readonly file?: string;
  readonly flags: Readonly<Record<string, string | boolean>>;
}

/** What a command with such flags was given, for `loadHere`. */
export function readConfigFlags(options: object): ConfigFlags {
  const given = new Map<string, unknown>(Object.entries(options));
  const flags: Record<string, string | boolean> = {};
  for (const setting of flagged) {
    const value = given.get(optionFor(setting).attributeName());
    if (typeof value === "string" || typeof value === "boolean") flags[setting.path] = value;
  }
  const file = given.get("config");
  return typeof file === "string" ? { file, flags } : { flags };
}

/** With the environment and the `.env` of this folder. */
export function loadHere({
  file,
  flags,
}: {
  readonly file?: string | undefined;
  readonly flags?: Sources["flags"];
} = {}): Promise<Loaded> {
  const sources = { ...(file !== undefined && { file }), ...(flags !== undefined && { flags }) };
  return loadConfig({ ...sources, env: process.env, cwd: process.cwd() });
}

function optionFor(setting: Setting): Option {
  const { description, defaultValue, parse, flag, kind, schema, env, path } = setting;
  const initial = kind === "list" ? undefined : encodeUnlimited("", defaultValue);
  const notes = [initial === undefined || initial === "" ? "" : `default ${initial}, `, env].join("");
  const takes = parse === "boolean" ? "[true|false]" : `<${valueName(setting)}>`;
  const group = path.includes(".") ? `Options for ${path.slice(0, path.lastIndexOf("."))}:` : "Options:";
  const option = new Option(`${flag} ${takes}`, `${description} (${notes})`).helpGroup(group);
  // Shown and completed, but checked by the schema, whose messages say more.
  if (schema instanceof z.ZodMiniEnum) option.argChoices = schema.options.map(String);
  return option;
}

function valueName({ kind, parse, path }: Setting): string {
  if (kind === "list") return "json";
  if (parse === "number") return "number";
  return path.endsWith("File") ? "file" : "text";
}

/** What most people ever set of `fanfare serve`. */
const COMMON = new Set(
  ["daemon", "debug", "config", "host", "port", "workers", "mode", "state-dir", "engine", "help", "help-all"].map(
    (name) => `--${name}`,
  ),
);

/** The help of a command that has a flag for every setting: the common ones on one screen, all with `--help-all`. */
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
