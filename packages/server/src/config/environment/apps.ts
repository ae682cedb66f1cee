/** The apps that the variables of a back end make: PUSHER_APP_…, and what Reverb and soketi call the same. */

import type { ConfigBuilder } from "../config-builder.ts";
import type { Problem } from "../config-error.ts";
import { factsAt } from "../settings.ts";
import { type Environment, type NamedValue, nameOf, pickAgreed, read, readVariable } from "./environment.ts";
import { type AppNames, COMMON_NAME, type ForeignVariable, families, foreignVariables } from "./foreign-variables.ts";

interface SaidOfApp {
  readonly values: Readonly<Record<string, unknown>>;
  /** Where each value came from, by its path in the app. */
  readonly sources: ReadonlyMap<string, string>;
}

export interface EnvironmentApp extends SaidOfApp {
  /** The names of the three that made it. */
  readonly from: string;
}

interface EnvironmentApps {
  readonly apps: readonly EnvironmentApp[];
  /** What is said of an app without making one. */
  readonly rest?: SaidOfApp;
}

/** They join the apps that are configured otherwise; one with the same id or key is refused like any other double. */
export function addApps(draft: ConfigBuilder, env: Environment): void {
  const { apps: made, rest } = environmentApps(env, draft.problems);
  const apps: unknown = draft.values.apps ?? [];
  if (!Array.isArray(apps)) return;
  for (const { values, from, sources } of made) {
    const here = `apps[${apps.length}]`;
    apps.push(values);
    draft.sources.set(here, from);
    for (const [path, name] of sources) draft.sources.set(`${here}.${path}`, name);
  }
  if (apps.length > 0) draft.values.apps = apps;
  if (rest) placeRest(draft, apps, rest);
}

/** Of the only app that there is. Of several, or of none, it is not clear whose it is, and a secret that decides nothing is no small thing. */
function placeRest(draft: ConfigBuilder, apps: unknown[], { values, sources }: SaidOfApp): void {
  const [app] = apps;
  const copy: Record<string, unknown> = { ...Object(app) };
  for (const [path, from] of sources) {
    const isOther = path.startsWith("token.") && copy.token !== undefined;
    if (apps.length === 1 && from !== COMMON_NAME && !isOther) {
      put(copy, path.split("."), at(values, path));
      draft.sources.set(`apps[0].${path}`, from);
    } else if (apps.length === 0 && path === "token.secret") {
      draft.problems.push({ message: incomplete(from, [], namesBeside(from), sources) });
    } else if (from !== COMMON_NAME) {
      const why = isOther ? "the app says itself whose tokens count" : "no app is made here that it could be for";
      draft.warnings.push(`${from} is not used: ${why}`);
    }
  }
  if (apps.length === 1) apps[0] = copy;
}

/** One app, or several where each server's three names make another one. What is wrong with them is added to the problems. */
export function environmentApps(env: Environment, problems: Problem[]): EnvironmentApps {
  const said = (names: AppNames) => CREDENTIALS.flatMap((field) => readVariable(names[field], env) ?? []);
  const isWhole = (names: AppNames) => said(names).length === CREDENTIALS.length;
  const connected = CONNECTIONS.get(
    readVariable("BROADCAST_CONNECTION", env) ?? readVariable("BROADCAST_DRIVER", env) ?? "",
  );
  const isOther = (names: AppNames) =>
    connected !== undefined && isWhole(connected) && said(names).join("\n") !== said(connected).join("\n");
  const dropped = [...CONNECTIONS.values()].filter((names) => said(names).length > 0 && isOther(names));
  const whole = namesOfApps.filter((names) => isWhole(names) && !dropped.includes(names));
  const groups = [...Map.groupBy(whole, (names) => said(names).join("\n")).values()];
  // Two that share an id or a key are no two apps, but one and a contradiction.
  const differ = (at: number) => new Set(groups.map(([names]) => names && said(names)[at])).size === groups.length;
  if (groups.length < 2 || !differ(0) || !differ(1)) return environmentApp(env, aliasesBut(dropped), problems);
  const all = groups.map((group) => {
    const foreign = namesOfApps.filter((names) => said(names).length > 0 && !group.includes(names));
    return environmentApp(env, aliasesBut(foreign), problems);
  });
  return { apps: all.flatMap(({ apps }) => apps) };
}

function environmentApp(env: Environment, names: readonly ForeignVariable[], problems: Problem[]): EnvironmentApps {
  const values: Record<string, unknown> = {};
  const sources = new Map<string, string>();
  const found: string[] = [];
  for (const [path, told] of toldOf(env, names, found)) {
    const agreed = pickAgreed(`${APP}${path}`, factsOf(path), told, found);
    if (agreed === undefined) continue;
    put(values, path.split("."), agreed.value);
    sources.set(path, agreed.from);
  }
  problems.push(...found.map((message) => ({ message })));
  const made = CREDENTIALS.flatMap((field) => sources.get(field) ?? []);
  if (made.length === CREDENTIALS.length) return { apps: [{ values, from: inWords(made), sources }] };
  const first = made[0];
  if (first !== undefined) problems.push({ message: incomplete(first, made, namesBeside(first), sources) });
  const isSaid = [...sources.values()].some((name) => name !== COMMON_NAME);
  return first === undefined && isSaid ? { apps: [], rest: { values, sources } } : { apps: [] };
}

const APP = "apps[].";
const CREDENTIALS = ["id", "key", "secret"] as const;

const namesOfApps = [...new Set(families.map(({ app }) => app))];

/** By Laravel's name for what it broadcasts by. */
const CONNECTIONS: ReadonlyMap<string, AppNames> = new Map(
  ["pusher", "reverb"].flatMap((name) => {
    const names = namesOfApps.find(({ id }) => id === `${name.toUpperCase()}_APP_ID`);
    return names ? [[name, names] as const] : [];
  }),
);

/** Without those of servers whose app is another one. What the application is called, it is called for all. */
function aliasesBut(foreign: readonly AppNames[]): readonly ForeignVariable[] {
  const out = families.filter(
    ({ app, aliases: own }) => foreign.includes(app) && own.some(({ name }) => name === app.id),
  );
  return foreignVariables.filter(
    (alias) => alias.name === COMMON_NAME || !out.some((family) => family.aliases.includes(alias)),
  );
}

function toldOf(env: Environment, names: readonly ForeignVariable[], problems: string[]): Map<string, NamedValue[]> {
  const told = new Map<string, NamedValue[]>();
  for (const alias of names.filter(({ path }) => path.startsWith(APP))) {
    const path = alias.path.slice(APP.length);
    const said = read(nameOf(alias), factsOf(path), env, problems);
    if (said.length > 0) told.set(path, [...(told.get(path) ?? []), ...said]);
  }
  return told;
}

function factsOf(path: string) {
  return factsAt(["apps", 0, ...path.split(".")]).facts;
}

function at(values: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => Object(value)[key], values);
}

function put(values: Record<string, unknown>, [key, ...rest]: readonly string[], value: unknown): void {
  if (key === undefined) return;
  if (rest.length === 0) {
    values[key] = value;
    return;
  }
  const inner: Record<string, unknown> = { ...Object(values[key]) };
  put(inner, rest, value);
  values[key] = inner;
}

function incomplete(first: string, made: readonly string[], names: AppNames, sources: ReadonlyMap<string, string>) {
  const missing = CREDENTIALS.filter((field) => !sources.has(field)).map((field) => names[field]);
  const what = `${inWords(missing)} ${missing.length > 1 ? "are" : "is"} missing`;
  if (made.length === 0) return `${what}: ${first} is set, which is for the app that they make`;
  return `${what}: ${inWords(made)} ${made.length > 1 ? "are" : "is"} set, and it takes all three to make an app`;
}

/** What the same server calls the three. */
function namesBeside(name: string): AppNames {
  return (families.find((family) => family.aliases.some((alias) => alias.name === name)) ?? families[0]).app;
}

/** "a, b and c" */
function inWords(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
