/** The apps that the variables of a back end make: PUSHER_APP_…, and what Reverb and soketi call the same. */

import type { ConfigBuilder } from "../config-builder.ts";
import { enumerate } from "../config-error.ts";
import { settingsByPath, valueAt } from "../settings.ts";
import { type Environment, parseVariable, pickAgreed, readVariable, type VariableValue } from "./environment.ts";
import {
  type AppNames,
  COMMON_NAME,
  type ForeignVariable,
  foreignServers,
  foreignVariables,
  PUSHER,
} from "./foreign-variables.ts";

type Values = Record<string, unknown>;
type Refuse = (message: string) => void;

/** What variables say about an app, by its path in the app. */
type AppValues = ReadonlyMap<string, VariableValue>;

interface EnvironmentApps {
  readonly apps: readonly AppValues[];
  /** What is said about an app without making one. */
  readonly rest: AppValues;
}

const APP = "apps[].";
const CREDENTIALS = ["id", "key", "secret"] as const;

/**
 * They join the apps that are configured otherwise. One of those that has the same id, and neither key nor secret, is the same app: so what is
 * secret need not stand in the file. Any other with the same id or key is refused like any duplicate.
 */
export function addApps(builder: ConfigBuilder, env: Environment): void {
  const { apps: made, rest } = environmentApps(env, (message) => builder.refuse(message));
  const apps: unknown = builder.values.apps ?? [];
  if (!Array.isArray(apps)) return;
  for (const app of made) {
    const configured = apps.findIndex((one) => isWithoutCredentials(one, app.get("id")?.value));
    const index = configured === -1 ? apps.push({}) - 1 : configured;
    if (configured === -1) builder.sources.set(`apps[${index}]`, credentialNames(app));
    for (const [path, variable] of app) place(builder, apps, index, path, variable);
  }
  if (apps.length > 0) builder.values.apps = apps;
  for (const [path, variable] of rest) placeRest(builder, apps, path, variable);
}

function isWithoutCredentials(app: unknown, id: unknown): boolean {
  const { key, secret, secrets, ...rest }: Values = Object(app);
  return rest.id === id && [key, secret, secrets].every((value) => value === undefined);
}

/** The variables that make an app, were it not for what else is wrong with them. */
export function appVariables(env: Environment): string[] {
  return environmentApps(env, () => {}).apps.map(credentialNames);
}

/** What is said about no app in particular is for the only app there is. */
function placeRest(builder: ConfigBuilder, apps: unknown[], path: string, variable: VariableValue): void {
  const { name } = variable;
  const hasToken = path === TOKEN_SECRET && valueAt(apps, [0, "token"]) !== undefined;
  if (name === COMMON_NAME) return;
  if (apps.length === 1 && !hasToken) place(builder, apps, 0, path, variable);
  else if (apps.length === 0 && path === TOKEN_SECRET) {
    // A secret that has no effect would be mistaken for protection.
    const { id, key, secret } = namesBeside(name);
    builder.refuse(`${enumerate([id, key, secret])} are missing: ${name} is set, which is for the app that they make`);
  } else {
    const why = hasToken ? "the app says itself whose tokens count" : "no app is made here that it could be for";
    builder.warnings.push(`${name} is not used: ${why}`);
  }
}

const TOKEN_SECRET = "token.secret";

function place(
  { sources }: ConfigBuilder,
  apps: unknown[],
  index: number,
  path: string,
  { name, value }: VariableValue,
): void {
  const keys = path.split(".");
  const copy: Values = { ...Object(apps[index]) };
  let inner = copy;
  for (const key of keys.slice(0, -1)) {
    const next: Values = { ...Object(inner[key]) };
    inner[key] = next;
    inner = next;
  }
  inner[keys.at(-1) ?? ""] = value;
  apps[index] = copy;
  sources.set(`apps[${index}].${path}`, name);
}

/** One app, or several where each server's three variables make another one. */
function environmentApps(env: Environment, refuse: Refuse): EnvironmentApps {
  const credentials = (names: AppNames) => CREDENTIALS.flatMap((field) => readVariable(names[field], env) ?? []);
  const isWhole = (names: AppNames) => credentials(names).length === CREDENTIALS.length;
  const isSame = (one: AppNames, other: AppNames) => credentials(one).join("\n") === credentials(other).join("\n");
  const connection = readVariable("BROADCAST_CONNECTION", env) ?? readVariable("BROADCAST_DRIVER", env);
  const broadcasting = namesOfApps.find(({ id }) => id === `${connection?.toUpperCase()}_APP_ID`);
  const isBroadcast = broadcasting !== undefined && isWhole(broadcasting);
  const dropped = namesOfApps.filter(
    (names) => isBroadcast && isLaravel(names) && credentials(names).length > 0 && !isSame(names, broadcasting),
  );
  const whole = namesOfApps.filter((names) => isWhole(names) && !dropped.includes(names));
  const groups = [...Map.groupBy(whole, (names) => credentials(names).join("\n")).values()];
  // Two that share an id or a key are no two apps, but one and a contradiction.
  const areDistinct = [0, 1].every(
    (field) => new Set(groups.map(([names]) => names && credentials(names)[field])).size === groups.length,
  );
  if (groups.length < 2 || !areDistinct) return environmentApp(env, dropped, refuse);
  const apps = groups.flatMap((group) => {
    const others = namesOfApps.filter((names) => credentials(names).length > 0 && !group.includes(names));
    return environmentApp(env, others, refuse).apps;
  });
  return { apps, rest: new Map() };
}

/** What the variables make, without those of the servers whose app is another one. */
function environmentApp(env: Environment, others: readonly AppNames[], refuse: Refuse): EnvironmentApps {
  const values = new Map<string, VariableValue>();
  for (const [path, variables] of Map.groupBy(variablesWithout(others), (variable) => variable.path)) {
    const setting = settingsByPath.get(path);
    if (setting === undefined) continue;
    const found = variables.flatMap((variable) => parseVariable(variable, setting, env, refuse));
    const agreed = pickAgreed(found, setting, path, refuse);
    if (agreed !== undefined) values.set(path.slice(APP.length), agreed);
  }
  const [first, ...more] = CREDENTIALS.flatMap((field) => values.get(field)?.name ?? []);
  if (first === undefined) return { apps: [], rest: values };
  if (more.length + 1 === CREDENTIALS.length) return { apps: [values], rest: new Map() };
  const missing = CREDENTIALS.filter((field) => !values.has(field)).map((field) => namesBeside(first)[field]);
  const present = `${credentialNames(values)} ${more.length > 0 ? "are" : "is"} set`;
  const absent = `${enumerate(missing)} ${missing.length > 1 ? "are" : "is"} missing`;
  refuse(`${absent}: ${present}, and it takes all three to make an app`);
  return { apps: [], rest: new Map() };
}

const namesOfApps = foreignServers.flatMap(({ app }) => app ?? []);

/** Laravel names one of these as what it broadcasts by. */
function isLaravel({ id }: AppNames): boolean {
  return id === "PUSHER_APP_ID" || id === "REVERB_APP_ID";
}

/** The application's own name counts for every app. */
function variablesWithout(others: readonly AppNames[]): readonly ForeignVariable[] {
  const out = foreignServers.filter(({ app }) => app !== undefined && others.includes(app));
  return foreignVariables.filter(
    (variable) =>
      variable.path.startsWith(APP) &&
      (variable.name === COMMON_NAME || !out.some(({ variables }) => variables.includes(variable))),
  );
}

function credentialNames(app: AppValues): string {
  return enumerate(CREDENTIALS.flatMap((field) => app.get(field)?.name ?? []));
}

/** What the same server calls the three. */
function namesBeside(name: string): AppNames {
  return foreignServers.find(({ variables }) => variables.some((variable) => variable.name === name))?.app ?? PUSHER;
}
