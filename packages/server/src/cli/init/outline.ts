/** The settings as a new configuration file shows them: what is set, what is only shown, and a value for each. */

import * as z from "zod/mini";
import { root, type Setting, settingsByPath } from "../../config/settings.ts";

/** One setting, or a group of them. */
export interface Entry {
  readonly setting: Setting;
  /** What is written there; for a group, what is in it. */
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
const PLACEHOLDER = "…";

export function outline(app: NewApp, withApp = true): Entry[] {
  return [...root.fields.values()].map((setting) => {
    if (setting.path !== "apps") return entryOf(setting);
    const entries = groupOf(setting).map((field) => appEntry(field, { ...app }));
    return { setting, content: { type: "list", entries }, isSet: withApp, isDefault: false };
  });
}

/** Every setting that has a default, with it. */
export function defaultValues(): Record<string, unknown> {
  const { apps: _, ...rest } = z.parse(root.schema, {}) as Record<string, unknown>;
  return rest;
}

type Given = Readonly<Record<string, unknown>>;

function entryOf(setting: Setting, given: Given = {}): Entry {
  const { key, kind, presence, defaultValue } = setting;
  const isDefault = presence === "default";
  const isSection = isDefault && kind === "object";
  const isSet = Object.hasOwn(given, key) || isSection || presence === "required";
  const group = groupOf(setting);
  if (group.length > 0) {
    const entries = group.map((field) => entryOf(field));
    return { setting, content: { type: kind === "list" ? "list" : "group", entries }, isSet, isDefault };
  }
  const value = given[key] ?? defaultValue ?? sampleOf(setting);
  return { setting, content: { type: "value", value }, isSet, isDefault };
}

/** What is in an object, or in the objects of a list. */
function groupOf({ fields, element }: Setting): Setting[] {
  return [...(element?.fields ?? fields).values()];
}

/** What an app takes from `defaults` is explained there; here it is shown with what it is without. */
function appEntry(setting: Setting, app: Given): Entry {
  const common = settingsByPath.get(`defaults.${setting.key}`);
  if (common === undefined) return entryOf(setting, app);
  const value = common.kind === "object" ? {} : (common.defaultValue ?? sampleOf(setting));
  return { setting, content: { type: "value", value }, isSet: false, isDefault: true };
}

/** A value of the right kind, where there is no default to show. */
function sampleOf({ element, schema, parse }: Setting): unknown {
  if (element !== undefined) return [sampleOf(element)];
  if (schema instanceof z.ZodMiniEnum) return schema.options[0];
  if (parse === "boolean") return true;
  return parse === "number" ? 1 : PLACEHOLDER;
}
