/** Gives a command one flag for every setting, and reads them back by the setting's path. */

import { type Command, Option } from "commander";
import { z } from "zod";
import { defaultOf, type Setting, settings, unwrap } from "../config/settings.ts";

/** Objects have no flag: what is in them has. */
const flagged = settings.filter(({ kind }) => kind !== "object");

/** For every setting, or for these, by their path. */
export function addConfigFlags(command: Command, only?: readonly string[]): Command {
  command.option("-c, --config <file>", "read this configuration file and look for no other");
  const shown = only ? flagged.filter(({ path }) => only.includes(path)) : flagged;
  for (const setting of shown) command.addOption(optionFor(setting));
  return command;
}

export interface ConfigFlags {
  readonly file?: string;
  readonly flags: Readonly<Record<string, string | boolean>>;
}

export function readConfigFlags(command: Command): ConfigFlags {
  const given = command.opts<Record<string, string | boolean | undefined>>();
  const flags: Record<string, string | boolean> = {};
  for (const setting of flagged) {
    const value = given[optionFor(setting).attributeName()];
    if (value !== undefined) flags[setting.path] = value;
  }
  return typeof given.config === "string" ? { file: given.config, flags } : { flags };
}

function optionFor(setting: Setting): Option {
  const { facts, flag, kind, schema, env, path } = setting;
  const initial = defaultOf(schema);
  const shown = initial === Number.POSITIVE_INFINITY ? "unlimited" : kind === "list" ? undefined : initial;
  const notes = [shown === undefined || shown === "" ? "" : `default ${shown}, `, env].join("");
  const takes = facts.parse === "switch" ? "[true|false]" : `<${valueName(setting)}>`;
  const group = path.includes(".") ? `Options for ${path.slice(0, path.lastIndexOf("."))}:` : "Options:";
  const option = new Option(`${flag} ${takes}`, `${facts.description} (${notes})`).helpGroup(group);
  // Shown and completed, but judged by the table, whose messages say more.
  const inner = unwrap(schema);
  if (inner instanceof z.ZodEnum) option.argChoices = inner.options.map(String);
  return option;
}

function valueName({ kind, facts, path }: Setting): string {
  if (kind === "list") return "json";
  if (facts.parse === "number") return "number";
  return path.endsWith("File") ? "file" : "text";
}
