/** Reads settings from the environment: FANFARE_… for every one, and the names that other servers gave some of them. */

import { closestName, describeValue, type Problem } from "../config-error.ts";
import { parseValue, Unparseable } from "../parse-value.ts";
import type { SettingInfo } from "../schema/fields.ts";
import { type Setting, settings } from "../settings.ts";
import type { Conversion } from "./conversions.ts";
import { type EnvFile, isLent } from "./env-file.ts";
import { type ForeignVariable, foreignVariables } from "./foreign-variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** One value with the setting it is for and the name it came by. */
export interface SettingValue {
  readonly setting: Setting;
  readonly value: unknown;
  readonly from: string;
}

/** What the process was told, and what the file says beside it. */
export function mergeEnvironment(own: Environment, file: EnvFile): Environment {
  const told = Object.entries(own).filter(([name, text]) => !isLent(name, text));
  const written = [...file].filter(([name]) => name !== PLATFORM_PORT).map(([name, { text }]) => [name, text] as const);
  return Object.fromEntries([...written, ...told]);
}

/** Objects come before what is in them. An empty variable counts as none, as Compose and Kubernetes templates need it. */
export function fromEnvironment(env: Environment, problems: Problem[]): SettingValue[] {
  problems.push(...unknownNames(env).map((message) => ({ message })));
  return settings.flatMap((setting) => {
    const { path, facts } = setting;
    const found: string[] = [];
    const own = read({ name: setting.env }, facts, env, found);
    const others = othersOf(setting).filter(({ name }) => readVariable(name, env) !== undefined);
    const theirs = others.filter(({ name }) => !isShared(name)).flatMap((name) => read(name, facts, env, found));
    const told = own.length > 0 || others.length === 0 ? own : fromObjectsRound(setting, env);
    const named = [...told, ...theirs];
    const shared = others.filter(({ name }) => named.length === 0 && isShared(name));
    const agreed = pickAgreed(
      path,
      facts,
      [...named, ...shared.flatMap((name) => read(name, facts, env, found))],
      found,
    );
    problems.push(...found.map((message) => ({ message, path })));
    return agreed === undefined ? [] : [{ setting, ...agreed }];
  });
}

/** Of hosting platforms. In a file it is the web application's. */
const PLATFORM_PORT = "PORT";

/** The application's own names: they count where nothing is said of this server, and contradict nobody. */
export function isShared(name: string): boolean {
  return (
    name === PLATFORM_PORT || name === "APP_ENV" || name === "SOKETI_DB_REDIS_KEY_PREFIX" || name.startsWith("REDIS_")
  );
}

/** A name in the environment, and what has to be done to what it holds. */
export interface Name {
  readonly name: string;
  readonly conversion?: Conversion;
}

/** What one name says of a setting; undefined where it only contradicts others. */
export interface NamedValue extends Name {
  readonly text: string;
  readonly value: unknown;
}

/** Nothing where the name is not set, or holds what nobody can read. */
export function read(name: Name, facts: SettingInfo, env: Environment, problems: string[]): NamedValue[] {
  const text = readVariable(name.name, env);
  if (text === undefined || !fitsMode(name, facts, text)) return [];
  const value = name.conversion === undefined ? parseValue(facts, text) : name.conversion.parse(text);
  if (value !== Unparseable) return [{ ...name, text, value }];
  const what =
    name.conversion === undefined
      ? `JSON (${facts.expects}), but does not parse`
      : `${name.conversion.expects}, but is ${describeValue(text, facts.secret ?? name.conversion.secret)}`;
  problems.push(`${name.name} has to be ${what}`);
  return [];
}

/** The first that says anything has its way; one that says something else is a problem. */
export function pickAgreed(path: string, facts: SettingInfo, told: readonly NamedValue[], problems: string[]) {
  const first = told.find(({ value }) => value !== undefined);
  if (first === undefined) return undefined;
  const other = told.find((one) => one !== first && !allows(one, first.value));
  if (other !== undefined) {
    const both = `${first.name} is ${shown(first, facts)} and ${other.name} is ${shown(other, facts)}`;
    problems.push(`${both}: both mean \`${path}\`, so unset one of them`);
  }
  return { value: first.value, from: first.name };
}

/** What a variable holds, where that is anything. */
export function readVariable(name: string, env: Environment): string | undefined {
  const text = env[name];
  if (text === undefined || text === "" || isFromKubernetes(name, text)) return undefined;
  return !name.startsWith("FANFARE_") && NULLS.includes(text.trim().toLowerCase()) ? undefined : text;
}

/** What Laravel reads as nothing; its own files have lines like `WEBSOCKET_SSL_CERT_PATH=null`. */
const NULLS: readonly string[] = ["null", "(null)", "(empty)", "empty"];

function allows(one: NamedValue, value: unknown): boolean {
  if (one.conversion?.allows !== undefined) return one.conversion.allows(one.text, value);
  return JSON.stringify(one.value) === JSON.stringify(value);
}

function shown({ text, value, conversion }: NamedValue, { secret }: SettingInfo): string {
  if (conversion === undefined) return describeValue(value, secret);
  return `${describeValue(text, secret)}${value === undefined ? "" : `, which is ${describeValue(value, secret)} here`}`;
}

function othersOf(setting: Setting): readonly Name[] {
  const alike = (setting.facts.aliases ?? []).map((name) => ({ name }));
  return [...alike, ...foreignVariables.filter(({ path }) => path === setting.path).map(nameOf)];
}

export function nameOf({ name, conversion }: ForeignVariable): Name {
  return { name, ...(conversion === undefined ? {} : { conversion }) };
}

/** What FANFARE_LIMITS says of `limits.connections`, or the nearest object that says anything. */
function fromObjectsRound({ path }: Setting, env: Environment): NamedValue[] {
  const told = settings.flatMap((outer) => {
    const text = readVariable(outer.env, env);
    if (outer.kind !== "object" || !path.startsWith(`${outer.path}.`) || text === undefined) return [];
    const steps = path.slice(outer.path.length + 1).split(".");
    const value = steps.reduce<unknown>(valueIn, parseValue(outer.facts, text));
    return value === undefined ? [] : [{ name: outer.env, text, value }];
  });
  return told.slice(-1);
}

function valueIn(values: unknown, key: string): unknown {
  if (typeof values !== "object" || values === null) return undefined;
  return Object.getOwnPropertyDescriptor(values, key)?.value;
}

/** Many programs go by NODE_ENV, and call their modes as they like. */
function fitsMode({ name }: Name, facts: SettingInfo, text: string): boolean {
  return name !== "NODE_ENV" || facts.expects.includes(JSON.stringify(text));
}

function unknownNames(env: Environment): string[] {
  const known = settings.map((setting) => setting.env);
  return Object.entries(env)
    .filter(([name, value]) => name.startsWith("FANFARE_") && !known.includes(name) && !isFromKubernetes(name, value))
    .map(([name]) => {
      const meant = closestName(name, known);
      return `unknown environment name ${name}: ${meant ? `did you mean ${meant}?` : "see docs/configuration.md"}`;
    });
}

/** A Service that is called "fanfare", or "soketi", puts such variables into every pod of its namespace. */
function isFromKubernetes(name: string, value = ""): boolean {
  if (name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value)) return true;
  return /^FANFARE_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_|$)/.test(name);
}
