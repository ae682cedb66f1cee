/** The table of settings as a new configuration file shows it: what is set, what is only shown, and a value for each. */

import { z } from "zod";
import type { SettingInfo } from "../../config/schema/fields.ts";
import { schema } from "../../config/schema/schema.ts";
import { defaultOf, elementOf, factsOf, shapeOf, unwrap } from "../../config/settings.ts";

/** One setting, or a group of them. */
export interface Entry {
  readonly key: string;
  readonly facts: SettingInfo;
  /** What stands there; for a group, what is in it. */
  readonly content: Content;
  /** Set, and not only shown: it has been given a value, or it has to be there. */
  readonly isSet: boolean;
  /** Whether the value is what holds without it. */
  readonly isDefault: boolean;
}

export type Content =
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "group"; readonly entries: readonly Entry[] }
  /** A list with one group in it, as a model. */
  | { readonly type: "list"; readonly entries: readonly Entry[] };

export interface NewApp {
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly secret: string;
}

/** Stands where only the user knows the value. */
export const PLACEHOLDER = "…";

export function outline(app: NewApp, withApp = true): Entry[] {
  return fieldsOf(schema).map(([key, node]) => {
    if (key !== "apps") return entryOf(key, node, {});
    const entries = fieldsOf(elementOf(node)).map(([name, field]) => appEntry(name, field, app));
    return { key, facts: factsOf(node), content: { type: "list", entries }, isSet: withApp, isDefault: false };
  });
}

/** Every setting that has a default, with it. */
export function defaultValues(): Record<string, unknown> {
  const { apps: _, ...rest } = z.parse(schema, {});
  return rest;
}

type Field = readonly [string, z.core.$ZodType];
type Given = Readonly<Record<string, unknown>>;

function fieldsOf(node: z.core.$ZodType | undefined): readonly Field[] {
  return node === undefined ? [] : Object.entries(shapeOf(node) ?? {});
}

function entryOf(key: string, node: z.core.$ZodType, given: Given): Entry {
  const facts = factsOf(node);
  const initial = defaultOf(node);
  const isDefault = initial !== undefined || node instanceof z.ZodPrefault;
  const isSet = Object.hasOwn(given, key) || node instanceof z.ZodPrefault || (!isDefault && !isOptional(node));
  const model = elementOf(node);
  const group = fieldsOf(shapeOf(node) === undefined ? model : node);
  if (group.length > 0) {
    const entries = group.map(([name, field]) => entryOf(name, field, {}));
    return { key, facts, content: { type: model === undefined ? "group" : "list", entries }, isSet, isDefault };
  }
  const value = given[key] ?? initial ?? sampleOf(node);
  return { key, facts, content: { type: "value", value }, isSet, isDefault };
}

/** What an app takes from `defaults` is explained there; here it is shown with what it is without. */
function appEntry(key: string, node: z.core.$ZodType, app: NewApp): Entry {
  const common = shapeOf(schema.shape.defaults)?.[key];
  if (common === undefined) return entryOf(key, node, { ...app });
  const inherited = shapeOf(common) === undefined ? defaultOf(common) : {};
  const content: Content = { type: "value", value: inherited ?? sampleOf(node) };
  return { key, facts: factsOf(node), content, isSet: false, isDefault: true };
}

function isOptional(node: z.core.$ZodType): boolean {
  return node instanceof z.ZodExactOptional || node instanceof z.ZodOptional;
}

/** A value of the right kind, where there is no default to show. */
function sampleOf(node: z.core.$ZodType): unknown {
  const element = elementOf(node);
  if (element !== undefined) return [sampleOf(element)];
  const inner = unwrap(node);
  if (inner instanceof z.ZodEnum) return inner.options[0];
  if (inner instanceof z.ZodBoolean) return true;
  return factsOf(node).parse === "number" ? 1 : PLACEHOLDER;
}
