/**
 * The one walker of the schema: a tree of settings, from which environment names, flags, documentation, types,
 * `fanfare init` and error messages are derived.
 */

import * as z from "zod/mini";
import { type SettingInfo, settingInfo } from "./schema/fields.ts";
import type { Config } from "./schema/schema.ts";
import { schema } from "./schema/schema.ts";

export type Path = readonly PropertyKey[];

/** One place in the schema. */
export interface Setting extends SettingInfo {
  readonly key: string;
  /** `limits.frameBytes`; inside lists `apps[].key`. */
  readonly path: string;
  readonly kind: "value" | "object" | "list";
  /** Without defaults and optionality. */
  readonly schema: z.core.$ZodType;
  readonly presence: "required" | "optional" | "default";
  /** What holds when nothing is configured; undefined for objects, whose fields have their own. */
  readonly defaultValue: unknown;
  /** Names outside lists; empty inside them. */
  readonly env: string;
  readonly flag: string;
  /** What is in an object. */
  readonly fields: ReadonlyMap<string, Setting>;
  /** What a list consists of. */
  readonly element?: Setting;
}

/** The whole configuration. */
export const root: Setting = build("", "", schema);

/** Every setting by its path, objects before what is in them. */
export const settingsByPath: ReadonlyMap<string, Setting> = new Map(
  flatten(root).map((setting) => [setting.path, setting]),
);

/** Every setting outside lists. */
export const settings: readonly Setting[] = [...settingsByPath.values()].filter(({ env }) => env !== "");

/** The setting at a place, or the nearest around it; `depth` is how many steps of the path led there. */
export function settingAt(path: Path): { readonly setting: Setting; readonly depth: number } {
  let setting = root;
  for (const [depth, step] of path.entries()) {
    const next = typeof step === "number" ? setting.element : setting.fields.get(String(step));
    if (next === undefined) return { setting, depth };
    setting = next;
  }
  return { setting, depth: path.length };
}

/** `apps[0].key` */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? String(step) : `${text}.${String(step)}`;
  }, "");
}

/** Own properties only. */
export function valueAt(values: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== "object" || value === null) return undefined;
    return Object.getOwnPropertyDescriptor(value, step)?.value;
  }, values);
}

/** A value inside the objects that its path names. */
export function nest(path: string, value: unknown): unknown {
  return path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

const HIDDEN = "******";

/** The same configuration, with every secret value replaced. */
export function maskSecrets(config: Config): Config {
  return mask(config, [], false) as Config;
}

/** How many secrets there are is shown, and so are the names of headers. */
function mask(value: unknown, path: Path, isHidden: boolean): unknown {
  if (value === undefined) return value;
  const { setting, depth } = settingAt(path);
  const isSecret = isHidden || (setting.secret === true && depth === path.length);
  if (Array.isArray(value)) return value.map((one, index) => (isSecret ? HIDDEN : mask(one, [...path, index], false)));
  if (typeof value !== "object" || value === null) return isSecret ? HIDDEN : value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mask(inner, [...path, key], isSecret)]));
}

function build(key: string, path: string, node: z.core.$ZodType): Setting {
  const bare = unwrap(node);
  const shape = bare instanceof z.ZodMiniObject ? Object.entries(bare.shape) : [];
  const element = bare instanceof z.ZodMiniArray ? build("[]", `${path}[]`, bare.def.element) : undefined;
  const words = path.includes("[]") ? [] : path.replaceAll(/([a-z0-9])([A-Z])/g, "$1.$2").split(".");
  return {
    ...(settingInfo.get(bare) ?? { description: "", expects: "an object with the settings", parse: "json" }),
    key,
    path,
    kind: bare instanceof z.ZodMiniObject ? "object" : element ? "list" : "value",
    schema: bare,
    presence: presenceOf(node),
    defaultValue: node instanceof z.ZodMiniDefault ? node.def.defaultValue : undefined,
    env: path === "" || words.length === 0 ? "" : `FANFARE_${words.join("_").toUpperCase()}`,
    flag: path === "" || words.length === 0 ? "" : `--${words.join("-").toLowerCase()}`,
    fields: new Map(shape.map(([name, field]) => [name, build(name, path === "" ? name : `${path}.${name}`, field)])),
    ...(element && { element }),
  };
}

/** Takes defaults and optionality off. */
function unwrap(node: z.core.$ZodType): z.core.$ZodType {
  if (node instanceof z.ZodMiniDefault || node instanceof z.ZodMiniPrefault) return unwrap(node.def.innerType);
  return node instanceof z.ZodMiniExactOptional ? unwrap(node.def.innerType) : node;
}

function presenceOf(node: z.core.$ZodType): Setting["presence"] {
  if (node instanceof z.ZodMiniDefault || node instanceof z.ZodMiniPrefault) return "default";
  return node instanceof z.ZodMiniExactOptional ? "optional" : "required";
}

function flatten({ fields, element }: Setting): Setting[] {
  return [...fields.values(), ...(element ? [element] : [])].flatMap((setting) => [setting, ...flatten(setting)]);
}
