/** Puts the configuration together: defaults, then the file, then the environment, then flags, each over the one before. */

import { readFile } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import { type ConfigBuilder, createBuilder, merge, sourceOf, withSource } from "./config-builder.ts";
import { ConfigError, closestName, type Problem } from "./config-error.ts";
import { errorReason, readConfigFile } from "./config-file.ts";
import { addApps, environmentApps } from "./environment/apps.ts";
import { ENV_FILE, isLent, lend, readEnvFile } from "./environment/env-file.ts";
import {
  type Environment,
  fromEnvironment,
  mergeEnvironment,
  readVariable,
  type SettingValue,
} from "./environment/environment.ts";
import { foreignVariables } from "./environment/foreign-variables.ts";
import { warnAboutIgnored } from "./environment/ignored-variables.ts";
import { settleRedis } from "./environment/redis.ts";
import { completeTls, switchTls } from "./environment/tls.ts";
import { parseValue, Unparseable } from "./parse-value.ts";
import { resolve } from "./resolve.ts";
import { resolveControllerFiles } from "./schema/controllers.ts";
import type { Config, ConfigInput } from "./schema/schema.ts";
import { tlsFiles } from "./schema/tls.ts";
import { formatPath, settings } from "./settings.ts";
import { leaveOutUnused } from "./unused-engines.ts";

export { ConfigError } from "./config-error.ts";
export { maskSecrets } from "./mask.ts";
export type { AppDefaults, Config, ConfigInput } from "./schema/schema.ts";

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
  /** Of variables that were not given to the process: where they stand, `.env:3`. */
  readonly variableLocations: ReadonlyMap<string, string>;
  /** Variables of other servers that say something here, and the setting that they mean. */
  readonly foreignVariables: readonly (readonly [name: string, path: string])[];
  /** What is set and not obeyed, or not as it seems. */
  readonly warnings: readonly string[];
  /** The file that was read, if there was one. */
  readonly file?: string;
}

/** Throws ConfigError with one line for each problem. */
export async function loadConfig({ flags = {}, env: own = {}, cwd, file }: Sources): Promise<Loaded> {
  const draft = createBuilder();
  const written = readEnvFile(cwd);
  const env = mergeEnvironment(own, written);
  if (own === process.env) lend(written);
  const read = await readConfigFile(cwd, file);
  if (read !== undefined) merge(draft, read.values, read.name);
  for (const given of fromEnvironment(env, draft.problems)) layOne(draft, given);
  switchTls(draft, env);
  for (const given of fromFlags(flags, draft.problems)) layOne(draft, given);
  completeTls(draft, env);
  settleRedis(draft);
  addApps(draft, env);
  draft.warnings.push(...warnAboutIgnored(env));
  const config = resolve(leaveOutUnused(draft));
  await checkFiles(config, draft, cwd);
  const places = [...written].filter(
    ([name, { text }]) => env[name] === text && !(name in own && !isLent(name, own[name])),
  );
  return {
    config: resolveControllerFiles(config, cwd, read?.name),
    sources: draft.sources,
    foreignVariables: foreignVariables.flatMap(({ name, path }) => {
      const isSaid = path.startsWith("apps[]") ? config.apps.length > 0 : draft.sources.has(path);
      return isSaid && readVariable(name, env) !== undefined ? [[name, path] as const] : [];
    }),
    warnings: [...draft.warnings, ...strangers(config, draft)],
    variableLocations: new Map(places.map(([name, { line }]) => [name, `${ENV_FILE}:${line}`])),
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

/** The names that make an app here without any file, were it not for what else is wrong with them. */
export function appVariables(own: Environment, cwd: string): readonly string[] {
  const env = mergeEnvironment(own, readEnvFile(cwd));
  const listed = readVariable("FANFARE_APPS", env) === undefined ? [] : ["FANFARE_APPS"];
  return [...listed, ...environmentApps(env, []).apps.map(({ from }) => from)];
}

/** For programs that hold their configuration themselves. A resolved one passes unchanged. */
export function parseConfig(input: unknown): Config {
  const draft = createBuilder();
  merge(draft, input, "");
  return resolve(draft);
}

/** Gives a configuration file its types. */
export function defineConfig(input: ConfigInput): ConfigInput {
  return input;
}

function layOne(draft: ConfigBuilder, { setting, value, from }: SettingValue): void {
  const nested = setting.path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  merge(draft, nested, from);
}

function fromFlags(flags: Readonly<Record<string, string | boolean>>, problems: Problem[]): SettingValue[] {
  const paths = settings.map((setting) => setting.path);
  for (const path of Object.keys(flags).filter((one) => !paths.includes(one))) {
    problems.push({ message: `unknown setting \`${path}\`: did you mean \`${closestName(path, paths) ?? "port"}\`?` });
  }
  return settings.flatMap((setting) => {
    const written = flags[setting.path];
    if (written === undefined) return [];
    const value = typeof written === "string" ? parseValue(setting.facts, written) : written;
    if (value !== Unparseable) return [{ setting, value, from: setting.flag }];
    problems.push({ message: `${setting.flag} has to be JSON (${setting.facts.expects}), but does not parse` });
    return [];
  });
}

/** Clients that name no app are of the first one; a back end that goes by the environment is of the app that this makes. */
function strangers({ apps }: Config, draft: ConfigBuilder): string[] {
  const [first] = apps;
  return apps.slice(1).flatMap((app, index) => {
    const from = draft.sources.get(`apps[${index + 1}].id`);
    if (from === undefined || first === undefined) return [];
    const both = `a client of the native protocol that names no app is in ${JSON.stringify(first.id)}, the first of them`;
    const other = `a back end with ${from} is in ${JSON.stringify(app.id)}`;
    return [`${both}, and ${other}: have clients add \`app=${app.key}\` to their address, or keep one of the apps`];
  });
}

async function checkFiles(config: Config, draft: ConfigBuilder, cwd: string): Promise<void> {
  const problems: string[] = [];
  for (const [place, file] of config.tls ? tlsFiles(config.tls) : []) {
    const reason = await whyNot(resolvePath(cwd, file));
    if (reason === undefined) continue;
    problems.push(withSource(`\`${formatPath(place)}\`: cannot read ${file}: ${reason}`, sourceOf(draft, place)));
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

async function whyNot(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file)).length === 0 ? "it is empty" : undefined;
  } catch (error) {
    return errorReason(error);
  }
}
