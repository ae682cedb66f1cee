/** The app that the variables of a back end make: PUSHER_APP_…, and what Reverb and soketi call the same. */

import { type AppNames, aliases, COMMON_NAME, families } from "./aliases.ts";
import { agree, type Environment, nameOf, read, type Told } from "./env.ts";
import { factsAt } from "./tree.ts";

export interface EnvironmentApp {
  readonly values: Readonly<Record<string, unknown>>;
  /** The names of the three that made it. */
  readonly from: string;
  /** Where each value came from, by its path in the app. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Undefined where none of them is set; what is wrong with them is added to the problems. */
export function environmentApp(env: Environment, problems: string[]): EnvironmentApp | undefined {
  const values: Record<string, unknown> = {};
  const sources = new Map<string, string>();
  for (const [path, told] of toldOf(env, problems)) {
    const agreed = agree(`${APP}${path}`, factsOf(path), told, problems);
    if (agreed === undefined) continue;
    put(values, path.split("."), agreed.value);
    sources.set(path, agreed.from);
  }
  const made = CREDENTIALS.flatMap((field) => sources.get(field) ?? []);
  if (made.length === CREDENTIALS.length) return { values, from: inWords(made), sources };
  const first = made[0] ?? [...sources.values()].find((name) => name !== COMMON_NAME);
  if (first !== undefined) problems.push(incomplete(first, made, namesBeside(first), sources));
  return undefined;
}

const APP = "apps[].";
const CREDENTIALS = ["id", "key", "secret"] as const;

function toldOf(env: Environment, problems: string[]): Map<string, Told[]> {
  const told = new Map<string, Told[]>();
  for (const alias of aliases.filter(({ path }) => path.startsWith(APP))) {
    const path = alias.path.slice(APP.length);
    const said = read(nameOf(alias), factsOf(path), env, problems);
    if (said.length > 0) told.set(path, [...(told.get(path) ?? []), ...said]);
  }
  return told;
}

function factsOf(path: string) {
  return factsAt(["apps", 0, ...path.split(".")]).facts;
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
