/**
 * Writes packages/server/src/config/config-input.ts from the schema: `npm run generate`. Types that
 * zod infers lose the comments that editors show on hover; these have them. A test fails when the file is stale.
 */

import * as z from "zod/mini";
import { encodeUnlimited } from "../packages/server/src/config/parse-value.ts";
import { root, type Setting, settingsByPath } from "../packages/server/src/config/settings.ts";

const HEAD = `/** What users write as configuration. Generated from the schema by \`npm run generate\`: do not edit. */
// biome-ignore-all format: generated`;

export function renderConfigTypes(): string {
  const names = interfaceNames();
  const objects = [root, ...settingsByPath.values()].filter(({ path, schema }) => names.get(schema)?.path === path);
  return `${[HEAD, ...objects.map((object) => interfaceOf(object, names))].join("\n\n")}\n`;
}

type Names = ReadonlyMap<z.core.$ZodType, { readonly name: string; readonly path: string }>;

/** One for each object of the schema, however often it is used. */
function interfaceNames(): Names {
  const names = new Map([[root.schema, { name: "ConfigInput", path: "" }]]);
  for (const { path, kind, schema } of settingsByPath.values()) {
    if (kind !== "object" || names.has(schema)) continue;
    const words = path.replaceAll(/s?\[\]/g, "").split(".");
    const name = words.map((word) => word.replace(/^./, (letter) => letter.toUpperCase())).join("");
    names.set(schema, { name: `${name === "DefaultsChannel" ? "ChannelRule" : name}Input`, path });
  }
  return names;
}

/** In place of these, `createServer` takes objects. They are apart since editors lose comments where a type goes through `Omit`. */
const REPLACEABLE = ["engine", "events", "apps"];

function interfaceOf(object: Setting, names: Names): string {
  const fields = [...object.fields.values()];
  if (object.path !== "") return declare(object.description, `${names.get(object.schema)?.name}`, fields, names);
  const isReplaceable = ({ key }: Setting) => REPLACEABLE.includes(key);
  const common = fields.filter((field) => !isReplaceable(field));
  return [
    declare("What a configuration takes, without engine, events and apps.", "SettingsInput", common, names),
    declare(
      "What a configuration takes; everything may be left out.",
      "ConfigInput extends SettingsInput",
      fields.filter(isReplaceable),
      names,
    ),
  ].join("\n\n");
}

function declare(description: string, name: string, fields: readonly Setting[], names: Names): string {
  const lines = fields.flatMap((field) => {
    const orUndefined = field.presence === "default" ? " | undefined" : "";
    const mark = field.presence === "required" ? "" : "?";
    const comment = `/** ${commentOn(field).replaceAll("*/", "*\\/")} */`;
    return [`  ${comment}`, `  readonly ${field.key}${mark}: ${typeOf(field, names)}${orUndefined};`];
  });
  return [`/** ${description} */`, `export interface ${name} {`, ...lines, "}"].join("\n");
}

/** What it is, what it takes where its type does not say so, and what holds without it. */
function commentOn({ path, kind, description, expects, schema, defaultValue, presence }: Setting): string {
  const isSaid = kind === "object" || schema instanceof z.ZodMiniBoolean || schema instanceof z.ZodMiniEnum;
  const takes = isSaid ? "" : ` Takes ${expects}.`;
  const inherited = path.startsWith("apps[].") && settingsByPath.has(path.replace("apps[]", "defaults"));
  if (inherited && presence === "optional") return `${description}${takes} Without it, as in \`defaults\`.`;
  const value = JSON.stringify(defaultValue, encodeUnlimited);
  return `${description}${takes}${value === undefined ? "" : ` Default: \`${value}\`.`}`;
}

function typeOf({ type, kind, schema, element, isSwitch }: Setting, names: Names): string {
  if (type !== undefined) return type;
  if (kind === "object") return `${isSwitch ? "boolean | " : ""}${names.get(schema)?.name ?? "never"}`;
  if (element === undefined) return primitiveType(schema);
  const inner = typeOf(element, names);
  return `readonly ${inner.includes("|") ? `(${inner})` : inner}[]`;
}

function primitiveType(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodMiniString) return "string";
  if (schema instanceof z.ZodMiniNumber) return "number";
  if (schema instanceof z.ZodMiniBoolean) return "boolean";
  if (schema instanceof z.ZodMiniEnum) return schema.options.map((option) => JSON.stringify(option)).join(" | ");
  if (schema instanceof z.ZodMiniLiteral) return schema.def.values.map((value) => JSON.stringify(value)).join(" | ");
  if (schema instanceof z.ZodMiniUnion) return schema.def.options.map(primitiveType).join(" | ");
  if (schema instanceof z.ZodMiniRecord) return "Readonly<Record<string, string>>";
  throw new Error("a setting of this kind has to name its type");
}

if (import.meta.main) {
  const file = new URL("../packages/server/src/config/config-input.ts", import.meta.url);
  if (process.argv.includes("--write")) await Bun.write(file, renderConfigTypes());
  else process.stdout.write(renderConfigTypes());
}
