/** Walks the table: finds a setting by its path, and lists them all with their names in the environment and as flags. */

import { z } from "zod";
import { type SettingInfo, settingInfo } from "./schema/fields.ts";
import { schema } from "./schema/schema.ts";

export type Path = readonly PropertyKey[];

/** One place in the table. */
export interface Setting {
  readonly path: string;
  readonly kind: "value" | "object" | "list";
  readonly facts: SettingInfo;
  readonly env: string;
  readonly flag: string;
  readonly schema: z.core.$ZodType;
}

/** Takes defaults and optionality off. */
export function unwrap(node: z.core.$ZodType): z.core.$ZodType {
  if (node instanceof z.ZodDefault || node instanceof z.ZodPrefault) return unwrap(node.unwrap());
  if (node instanceof z.ZodExactOptional || node instanceof z.ZodOptional) return unwrap(node.unwrap());
  return node;
}

/** The fields of an object, or undefined where the node is none. */
export function shapeOf(node: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | undefined {
  const inner = unwrap(node);
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}

/** What the elements of a list are, or undefined where the node is none. */
export function elementOf(node: z.core.$ZodType): z.core.$ZodType | undefined {
  const inner = unwrap(node);
  return inner instanceof z.ZodArray ? inner.element : undefined;
}

/** What the table says of a place, or of the nearest place above that it speaks of; `depth` is how far it got. */
export function factsAt(path: Path): { readonly facts: SettingInfo; readonly depth: number } {
  let node: z.core.$ZodType | undefined = schema;
  let found = { facts: NOTHING_KNOWN, depth: 0 };
  for (const [index, step] of path.entries()) {
    node = typeof step === "string" ? ownField(shapeOf(node), step) : elementOf(node);
    const known = node === undefined ? undefined : settingInfo.get(node);
    if (node === undefined) break;
    if (known !== undefined) found = { facts: known, depth: index + 1 };
  }
  return found;
}

export function ownField<T>(fields: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/** Every setting outside lists, objects before what is in them. */
export const settings: readonly Setting[] = collect(schema, []);

export function factsOf(node: z.core.$ZodType): SettingInfo {
  return settingInfo.get(node) ?? NOTHING_KNOWN;
}

const NOTHING_KNOWN: SettingInfo = { description: "", expects: "an object with the settings", parse: "json" };

/** `apps[0].key` */
export function formatPath(path: Path): string {
  let spelt = "";
  for (const step of path) {
    if (typeof step === "number") spelt += `[${step}]`;
    else spelt += spelt === "" ? String(step) : `.${String(step)}`;
  }
  return spelt;
}

/** What a setting has when nobody says anything; undefined where it has to be said or may be absent. */
export function defaultOf(node: z.core.$ZodType): unknown {
  return node instanceof z.ZodDefault ? z.parse(node, undefined) : undefined;
}

function collect(node: z.core.$ZodType, path: readonly string[]): Setting[] {
  return Object.entries(shapeOf(node) ?? {}).flatMap(([key, field]) => {
    const here = [...path, key];
    const words = here
      .join(".")
      .replaceAll(/([a-z0-9])([A-Z])/g, "$1.$2")
      .split(".");
    const setting: Setting = {
      path: here.join("."),
      kind: shapeOf(field) ? "object" : elementOf(field) ? "list" : "value",
      facts: factsOf(field),
      env: `FANFARE_${words.join("_").toUpperCase()}`,
      flag: `--${words.join("-").toLowerCase()}`,
      schema: field,
    };
    return [setting, ...collect(field, here)];
  });
}
