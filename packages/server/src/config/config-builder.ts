/** A configuration in the making: sources are laid over each other, and each value remembers where it came from. */

import { z } from "zod";
import { closestName, describeValue, type Problem } from "./config-error.ts";
import { schema } from "./schema/schema.ts";
import { elementOf, factsOf, formatPath, ownField, type Path, settings, shapeOf, unwrap } from "./settings.ts";

type Values = Record<string, unknown>;

export interface ConfigBuilder {
  readonly values: Values;
  /** Where each value came from, by the setting's path. */
  readonly sources: Map<string, string>;
  readonly problems: Problem[];
  /** What does not keep the server from starting. */
  readonly warnings: string[];
}

export function createBuilder(): ConfigBuilder {
  return { values: {}, sources: new Map(), problems: [], warnings: [] };
}

/** Lays one source over what is there: objects key by key, everything else as a whole. */
export function merge(draft: ConfigBuilder, values: unknown, from: string): void {
  if (!isObject(values)) {
    const what = from === "" ? "the configuration" : from;
    draft.problems.push({ message: `${what} has to be an object, but is ${describeValue(values)}` });
    return;
  }
  mergeInto(draft, draft.values, copyKnown(draft, schema, values, [], from), schema, [], from);
}

/** The source of a value, or of the nearest thing round it that has one. */
export function sourceOf(draft: ConfigBuilder, path: Path): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const source = draft.sources.get(formatPath(path.slice(0, length)));
    if (source !== undefined && source !== "") return source;
  }
  return undefined;
}

/** Ends a sentence by the place to look. */
export function withSource(sentence: string, from: string | undefined): string {
  return from === undefined || from === "" ? sentence : `${sentence} (from ${from})`;
}

/** Copies what the table knows and refuses the rest. Copying own keys one by one leaves `__proto__` without effect. */
function copyKnown(draft: ConfigBuilder, node: z.core.$ZodType, value: unknown, path: Path, from: string): unknown {
  const shape = shapeOf(node);
  if (shape !== undefined && isObject(value)) {
    const copy: Values = {};
    for (const [key, inner] of Object.entries(value)) {
      const field = ownField(shape, key);
      if (field === undefined) draft.problems.push({ message: withSource(unknownKey(key, shape, path), from) });
      else if (inner !== undefined) copy[key] = copyKnown(draft, field, inner, [...path, key], from);
    }
    return copy;
  }
  const element = elementOf(node);
  if (element !== undefined && Array.isArray(value)) {
    return value.map((inner, index) => copyKnown(draft, element, inner, [...path, index], from));
  }
  // A file may have an id or a password that is a number; a program knows its types.
  const isText = from !== "" && unwrap(node) instanceof z.ZodString;
  return isText && typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
}

function mergeInto(
  draft: ConfigBuilder,
  target: Values,
  values: unknown,
  node: z.core.$ZodType,
  path: Path,
  from: string,
): void {
  const shape = shapeOf(node);
  if (!isObject(values) || shape === undefined) return;
  for (const [key, value] of Object.entries(values)) {
    const field = shape[key];
    const here = [...path, key];
    if (field === undefined) continue;
    if (shapeOf(field) === undefined) {
      target[key] = value;
      draft.sources.set(formatPath(here), from);
    } else if (isObject(value)) {
      const inner = target[key];
      const next: Values = isObject(inner) ? inner : {};
      target[key] = next;
      mergeInto(draft, next, value, field, here, from);
    } else {
      const sentence = `\`${formatPath(here)}\` has to be ${factsOf(field).expects}, but is ${describeValue(value)}`;
      draft.problems.push({ message: withSource(sentence, from) });
    }
  }
}

function unknownKey(key: string, shape: Readonly<Values>, path: Path): string {
  const spelt = formatPath([...path, key]);
  const sibling = closestName(key, Object.keys(shape));
  const meant = sibling === undefined ? elsewhere(key) : formatPath([...path, sibling]);
  const hint = meant === undefined ? `known here: ${Object.keys(shape).join(", ")}` : `did you mean \`${meant}\`?`;
  return `unknown key \`${spelt}\`: ${hint}`;
}

/** The setting of that name in another place: `frameBytes` is `limits.frameBytes`. */
function elsewhere(key: string): string | undefined {
  const name = key.toLowerCase();
  const alike = settings.find((setting) => setting.path.toLowerCase().split(".").at(-1) === name);
  return (
    alike?.path ??
    closestName(
      key,
      settings.map((setting) => setting.path),
    )
  );
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
