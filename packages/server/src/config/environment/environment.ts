/** Reads settings from the environment: FANFARE_… for every one, and other servers' names for some of them. */

import type { ConfigBuilder } from "../config-builder.ts";
import { closestName, describeValue } from "../config-error.ts";
import { parseValue, Unparseable } from "../parse-value.ts";
import { type Setting, settings, valueAt } from "../settings.ts";
import { type EnvFile, isLent } from "./env-file.ts";
import { type ForeignVariable, foreignVariables, ignoredVariables, PLATFORM_PORT } from "./foreign-variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

type Refuse = (message: string) => void;

/** A variable that is set, and its value; undefined where it only contradicts others. */
export interface VariableValue extends Pick<ForeignVariable, "name" | "conversion"> {
  readonly text: string;
  readonly value: unknown;
}

/** The process's own variables over those of the file. */
export function combineVariables(own: Environment, file: EnvFile): Environment {
  const fromFile = [...file]
    .filter(([name]) => name !== PLATFORM_PORT)
    .map(([name, { text }]) => [name, text] as const);
  return Object.fromEntries([...fromFile, ...Object.entries(own).filter(([name, text]) => !isLent(name, text))]);
}

/** Objects come before what is in them. */
export function mergeEnvironment(builder: ConfigBuilder, env: Environment): void {
  for (const message of unknownNames(env)) builder.refuse(message);
  for (const setting of settings) {
    const found = findValue(setting, env, (message) => builder.refuse(message, setting.path));
    if (found !== undefined) builder.set(setting.path, found.value, found.name);
  }
}

function findValue(setting: Setting, env: Environment, refuse: Refuse): VariableValue | undefined {
  const others = foreignVariables.filter(({ name, path }) => path === setting.path && readVariable(name, env));
  const read = (variables: readonly ForeignVariable[]) =>
    variables.flatMap((variable) => parseVariable(variable, setting, env, refuse));
  const own = read([{ name: setting.env, path: setting.path }]);
  const around = own.length === 0 && others.length > 0 ? fromObjectAround(setting, env) : [];
  const named = [...own, ...around, ...read(others.filter(({ isShared }) => !isShared))];
  return (
    pickAgreed(named, setting, setting.path, refuse) ??
    pickAgreed(read(others.filter(({ isShared }) => isShared)), setting, setting.path, refuse)
  );
}

type Info = Pick<Setting, "expects" | "parse" | "secret">;

/** Nothing where the variable is not set, or its text does not parse. */
export function parseVariable(
  { name, conversion }: ForeignVariable,
  info: Info,
  env: Environment,
  refuse: Refuse,
): VariableValue[] {
  const text = readVariable(name, env);
  if (text === undefined) return [];
  const value = conversion === undefined ? parseValue(info, text) : conversion.parse(text);
  if (value !== Unparseable) return [{ name, text, value, ...(conversion && { conversion }) }];
  const expected =
    conversion === undefined
      ? `JSON (${info.expects}), but does not parse`
      : `${conversion.expects}, but is ${describeValue(text, info.secret ?? conversion.secret)}`;
  refuse(`${name} has to be ${expected}`);
  return [];
}

/** The first that has a value; one that has another is a problem. */
export function pickAgreed(found: readonly VariableValue[], info: Info, path: string, refuse: Refuse) {
  const first = found.find(({ value }) => value !== undefined);
  if (first === undefined) return undefined;
  const other = found.find((one) => one !== first && !allows(one, first.value));
  if (other !== undefined) {
    const both = `${first.name} is ${describeVariable(first, info)} and ${other.name} is ${describeVariable(other, info)}`;
    refuse(`${both}: both mean \`${path}\`, so unset one of them`);
  }
  return first;
}

function allows({ text, value, conversion }: VariableValue, other: unknown): boolean {
  if (conversion?.allows) return conversion.allows(text, other);
  return JSON.stringify(value) === JSON.stringify(other) || (conversion !== undefined && value === undefined);
}

function describeVariable({ text, value, conversion }: VariableValue, { secret }: Info): string {
  if (conversion === undefined) return describeValue(value, secret);
  const isSame = value === undefined || value === text;
  return `${describeValue(text, secret)}${isSame ? "" : `, which is ${describeValue(value, secret)} here`}`;
}

/** The variable's text. Empty counts as not set, as Compose and Kubernetes templates need it. */
export function readVariable(name: string, env: Environment): string | undefined {
  const text = env[name];
  if (text === undefined || text === "" || isFromKubernetes(name, text)) return undefined;
  return !name.startsWith("FANFARE_") && LARAVEL_NULLS.includes(text.trim().toLowerCase()) ? undefined : text;
}

/** What Laravel reads as null; its own files have lines like `WEBSOCKET_SSL_CERT_PATH=null`. */
const LARAVEL_NULLS: readonly string[] = ["null", "(null)", "(empty)", "empty"];

/** A sentence for each variable that asks for something that Fanfare does not do. */
export function warningsAbout(env: Environment): string[] {
  const variable = (name: string) => readVariable(name, env);
  const ignored = ignoredVariables.flatMap(({ names, why, isMissed }) =>
    names.flatMap((name) => {
      const text = variable(name);
      return text !== undefined && isMissed?.(text, variable) ? [`${name} is set, but not obeyed: ${why}`] : [];
    }),
  );
  const partly = foreignVariables.flatMap(({ name, conversion }) => {
    const text = variable(name);
    const why = text === undefined ? undefined : conversion?.notSupported?.(text);
    return why === undefined
      ? []
      : [`${name} is ${describeValue(text, conversion?.secret)}, and not obeyed so: ${why}`];
  });
  return [...ignored, ...partly];
}

/** What FANFARE_LIMITS says about `limits.connections`, or the nearest object that says anything. */
function fromObjectAround({ path }: Setting, env: Environment): VariableValue[] {
  const found = settings.flatMap((outer) => {
    const text = readVariable(outer.env, env);
    if (outer.kind !== "object" || !path.startsWith(`${outer.path}.`) || text === undefined) return [];
    const value = valueAt(parseValue(outer, text), path.slice(outer.path.length + 1).split("."));
    return value === undefined ? [] : [{ name: outer.env, text, value }];
  });
  return found.slice(-1);
}

function unknownNames(env: Environment): string[] {
  const known = settings.map((setting) => setting.env);
  return Object.entries(env)
    .filter(([name, text]) => name.startsWith("FANFARE_") && !known.includes(name) && !isFromKubernetes(name, text))
    .map(([name]) => {
      const meant = closestName(name, known);
      return `unknown environment name ${name}: ${meant ? `did you mean ${meant}?` : "see docs/configuration.md"}`;
    });
}

/** A Service that is called "fanfare", or "soketi", puts such variables into every pod of its namespace. */
function isFromKubernetes(name: string, text = ""): boolean {
  if (name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(text)) return true;
  return /^FANFARE_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_|$)/.test(name);
}
