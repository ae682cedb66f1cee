/** Puts the configuration together: defaults, then the file, then the environment, then flags, each over the one before. */

import { readFile } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import { located } from "./controllers.ts";
import { type Draft, lay, newDraft, placed, sourceOf } from "./draft.ts";
import { type Environment, fromEnvironment, type Given } from "./env.ts";
import { environmentApp } from "./env-app.ts";
import { completeTls, switchTls } from "./env-tls.ts";
import { readConfigFile, reasonOf } from "./file.ts";
import { ConfigError, nearest } from "./problem.ts";
import { resolve } from "./resolve.ts";
import type { Config, ConfigInput } from "./schema.ts";
import { tlsFiles } from "./tls.ts";
import { settings, spell } from "./tree.ts";
import { Unreadable, valueFrom } from "./written.ts";

export { maskSecrets } from "./mask.ts";
export { ConfigError } from "./problem.ts";
export type { AppDefaults, Config, ConfigInput } from "./schema.ts";

/** Where to look. */
export interface Sources {
  /** By the setting's path: `{ "limits.frameBytes": "4096" }`. */
  readonly flags?: Readonly<Record<string, string | boolean>>;
  readonly env?: Environment;
  readonly cwd: string;
  /** Read this file and look for no other. */
  readonly file?: string;
}

export interface Loaded {
  readonly config: Config;
  /** Where each value that is no default came from, by the setting's path. */
  readonly sources: Map<string, string>;
  /** The file that was read, if there was one. */
  readonly file?: string;
}

/** Throws ConfigError with one line for each problem. */
export async function loadConfig({ flags = {}, env = {}, cwd, file }: Sources): Promise<Loaded> {
  const draft = newDraft();
  const read = await readConfigFile(cwd, file);
  if (read !== undefined) lay(draft, read.values, read.name);
  for (const given of fromEnvironment(env, draft.problems)) layOne(draft, given);
  switchTls(draft, env);
  for (const given of fromFlags(flags, draft.problems)) layOne(draft, given);
  completeTls(draft, env);
  addApp(draft, env);
  const config = resolve(draft);
  await checkFiles(config, draft, cwd);
  return {
    config: located(config, cwd, read?.name),
    sources: draft.sources,
    ...(read === undefined ? {} : { file: read.name }),
  };
}

/**
 * What `fanfare serve` would run with here: the defaults, a configuration file, the environment. For programs that want to be
 * configured like it. Throws ConfigError with one line for each problem.
 */
export async function readConfig(from: Partial<Sources> = {}): Promise<Config> {
  const { config } = await loadConfig({ env: process.env, cwd: process.cwd(), ...from });
  return config;
}

/** For programs that hold their configuration themselves. A resolved one passes unchanged. */
export function parseConfig(input: unknown): Config {
  const draft = newDraft();
  lay(draft, input, "");
  return resolve(draft);
}

/** Gives a configuration file its types. */
export function defineConfig(input: ConfigInput): ConfigInput {
  return input;
}

function layOne(draft: Draft, { setting, value, from }: Given): void {
  const nested = setting.path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  lay(draft, nested, from);
}

function fromFlags(flags: Readonly<Record<string, string | boolean>>, problems: string[]): Given[] {
  const paths = settings.map((setting) => setting.path);
  for (const path of Object.keys(flags).filter((one) => !paths.includes(one))) {
    problems.push(`unknown setting \`${path}\`: did you mean \`${nearest(path, paths) ?? "port"}\`?`);
  }
  return settings.flatMap((setting) => {
    const written = flags[setting.path];
    if (written === undefined) return [];
    const value = typeof written === "string" ? valueFrom(setting.facts, written) : written;
    if (value !== Unreadable) return [{ setting, value, from: setting.flag }];
    problems.push(`${setting.flag} has to be JSON (${setting.facts.accepts}), but does not parse`);
    return [];
  });
}

/** It joins the apps that are configured otherwise; one with the same id or key is refused like any other double. */
function addApp(draft: Draft, env: Environment): void {
  const made = environmentApp(env, draft.problems);
  const apps = draft.values.apps ?? [];
  if (made === undefined || !Array.isArray(apps)) return;
  const here = `apps[${apps.length}]`;
  draft.values.apps = [...apps, made.values];
  draft.sources.set(here, made.from);
  for (const [path, from] of made.sources) draft.sources.set(`${here}.${path}`, from);
}

async function checkFiles(config: Config, draft: Draft, cwd: string): Promise<void> {
  const problems: string[] = [];
  for (const [place, file] of config.tls ? tlsFiles(config.tls) : []) {
    const reason = await whyNot(resolvePath(cwd, file));
    if (reason === undefined) continue;
    problems.push(placed(`\`${spell(place)}\`: cannot read ${file}: ${reason}`, sourceOf(draft, place)));
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

async function whyNot(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file)).length === 0 ? "it is empty" : undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
