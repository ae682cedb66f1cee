/** Puts the configuration together: defaults, then the file, then the environment, then flags, each over the one before. */

import { readFile } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import type { App } from "../domain/app.ts";
import { ConfigBuilder } from "./config-builder.ts";
import { ConfigError, closestName, describeValue, errorReason, withSource } from "./config-error.ts";
import { readConfigFile } from "./config-file.ts";
import type { ConfigInput } from "./config-input.ts";
import { addApps, appVariables } from "./environment/apps.ts";
import { ENV_FILE, type EnvFile, isLent, lend, readEnvFile } from "./environment/env-file.ts";
import {
  combineVariables,
  type Environment,
  mergeEnvironment,
  readVariable,
  warningsAbout,
} from "./environment/environment.ts";
import { type ForeignVariable, foreignVariables } from "./environment/foreign-variables.ts";
import { completeRedis } from "./environment/redis.ts";
import { completeTls, switchTls } from "./environment/tls.ts";
import { parseValue, Unparseable } from "./parse-value.ts";
import { resolve } from "./resolve.ts";
import { resolveCodeFiles } from "./schema/code-files.ts";
import { type AppDefaults, type Config, schema } from "./schema/schema.ts";
import { tlsFiles } from "./schema/tls.ts";
import { formatPath, settings, settingsByPath } from "./settings.ts";

export { ConfigError } from "./config-error.ts";
export type { AppInput, ConfigInput, SettingsInput } from "./config-input.ts";
export type { AppDefaults, Config } from "./schema/schema.ts";
export { maskSecrets } from "./settings.ts";

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
  /** Of variables that were not given to the process: where they are set, `.env:3`. */
  readonly variableLocations: ReadonlyMap<string, string>;
  /** Other servers' variables that are obeyed here, and the setting that each stands for. */
  readonly foreignVariables: readonly (readonly [name: string, path: string])[];
  /** What is set and not obeyed, or not as it seems. */
  readonly warnings: readonly string[];
  /** The file that was read, if there was one. */
  readonly file?: string;
}

/** Throws ConfigError with one line for each problem. */
export async function loadConfig({ flags = {}, env: own = {}, cwd, file: named }: Sources): Promise<Loaded> {
  const builder = new ConfigBuilder();
  const envFile = readEnvFile(cwd);
  const env = combineVariables(own, envFile);
  if (own === process.env) lend(envFile);
  const file = await readConfigFile(cwd, named);
  if (file !== undefined) builder.merge(file.values, file.name);
  mergeEnvironment(builder, env);
  switchTls(builder, env);
  mergeFlags(builder, flags);
  completeTls(builder, env);
  completeRedis(builder);
  addApps(builder, env);
  dropUnusedEngines(builder);
  const config = resolve(builder);
  await checkFiles(config, builder, cwd);
  return {
    config: resolveCodeFiles(config, cwd, file?.name),
    sources: builder.sources,
    foreignVariables: obeyedVariables(builder, env),
    warnings: [...warningsAbout(env), ...builder.warnings, ...ambiguousApps(config, builder)],
    variableLocations: locationsOf(envFile, own, env),
    ...(file && { file: file.name }),
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

/** The variables that make an app here without any file. */
export function appVariablesHere(own: Environment, cwd: string): readonly string[] {
  const env = combineVariables(own, readEnvFile(cwd));
  return [...(readVariable("FANFARE_APPS", env) === undefined ? [] : ["FANFARE_APPS"]), ...appVariables(env)];
}

/** For programs that hold their configuration themselves. A resolved one passes unchanged. */
export function parseConfig(input: unknown): Config {
  const builder = new ConfigBuilder();
  builder.merge(input, "");
  return resolve(builder);
}

/** One app, for stores outside the configuration; what it does not say is taken from `defaults`. Throws ConfigError. */
export function parseApp(input: unknown, defaults?: AppDefaults): App {
  const [app] = parseConfig({ apps: [input], defaults }).apps;
  if (!app) throw new ConfigError(["an app has to be an object"]);
  // Whoever may edit such an app need not be who runs the server.
  return app.hooks ? { ...app, hooks: { ...app.hooks, allowPrivate: false } } : app;
}

/** Gives a configuration file its types. */
export function defineConfig(input: ConfigInput): ConfigInput {
  return input;
}

function mergeFlags(builder: ConfigBuilder, flags: Readonly<Record<string, string | boolean>>): void {
  const paths = settings.map(({ path }) => path);
  for (const path of Object.keys(flags).filter((one) => !paths.includes(one))) {
    builder.refuse(`unknown setting \`${path}\`: did you mean \`${closestName(path, paths) ?? "port"}\`?`);
  }
  for (const setting of settings) {
    const { path, flag, expects } = setting;
    const given = flags[path];
    if (given === undefined) continue;
    const value = typeof given === "string" ? parseValue(setting, given) : given;
    if (value === Unparseable) builder.refuse(`${flag} has to be JSON (${expects}), but does not parse`);
    else builder.set(path, value, flag);
  }
}

/** What belongs to an engine that is not the chosen one does not keep the server from starting, whatever it is. */
function dropUnusedEngines({ values, sources, problems, warnings }: ConfigBuilder): void {
  const { engine = "memory" } = values;
  for (const section of (["redis", "nats"] as const).filter((one) => one !== engine)) {
    const kept = problems.filter(({ path }) => !path?.startsWith(`${section}.`));
    problems.splice(0, problems.length, ...kept);
    const given: Record<PropertyKey, unknown> = Object(values[section]);
    const { error } = schema.shape[section].safeParse(given);
    for (const key of new Set(error?.issues.flatMap(({ path }) => path.slice(0, 1)))) {
      const path = `${section}.${String(key)}`;
      const source = sources.get(path);
      const setting = settingsByPath.get(path);
      const value = describeValue(given[key], setting?.secret);
      const message = withSource(`\`${path}\` has to be ${setting?.expects}, but is ${value}`, source);
      // What another program does with its own variable is no concern of this server.
      const isShared = foreignVariables.some((variable) => variable.name === source && variable.isShared);
      if (!isShared) warnings.push(`${message}; it is not used, as \`engine\` is ${describeValue(engine)}`);
      delete given[key];
      sources.delete(path);
    }
  }
}

function obeyedVariables({ sources, values }: ConfigBuilder, env: Environment): [name: string, path: string][] {
  const hasApps = Array.isArray(values.apps) && values.apps.length > 0;
  const isObeyed = ({ name, path, conversion, isShared }: ForeignVariable) => {
    const text = readVariable(name, env);
    if (text === undefined || (conversion && conversion.parse(text) === undefined)) return false;
    if (path.startsWith("apps[]")) return hasApps;
    return isShared ? sources.get(path) === name : sources.has(path);
  };
  return foreignVariables.filter(isObeyed).map(({ name, path }) => [name, path]);
}

function locationsOf(file: EnvFile, own: Environment, env: Environment): ReadonlyMap<string, string> {
  const counting = [...file].filter(
    ([name, { text }]) => env[name] === text && !(name in own && !isLent(name, own[name])),
  );
  return new Map(counting.map(([name, { line }]) => [name, `${ENV_FILE}:${line}`]));
}

/** Clients that name no app are of the first one; a back end that goes by the environment is of the app that this makes. */
function ambiguousApps({ apps: [first, ...others] }: Config, { sources }: ConfigBuilder): string[] {
  return others.flatMap((app, index) => {
    const source = sources.get(`apps[${index + 1}].id`);
    if (source === undefined || first === undefined) return [];
    const client = `a client of the native protocol that names no app is in ${JSON.stringify(first.id)}, the first of them`;
    const other = `a back end with ${source} is in ${JSON.stringify(app.id)}`;
    return [`${client}, and ${other}: have clients add \`app=${app.key}\` to their address, or keep one of the apps`];
  });
}

async function checkFiles({ tls }: Config, builder: ConfigBuilder, cwd: string): Promise<void> {
  const problems: string[] = [];
  for (const [path, file] of tls ? tlsFiles(tls) : []) {
    const reason = await whyUnreadable(resolvePath(cwd, file));
    if (reason === undefined) continue;
    const message = `\`${formatPath(path)}\`: cannot read ${file}: ${reason}`;
    problems.push(withSource(message, builder.sourceOf(path)));
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

async function whyUnreadable(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file)).length === 0 ? "it is empty" : undefined;
  } catch (error) {
    return errorReason(error);
  }
}
