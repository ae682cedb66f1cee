/** A configuration under construction: sources are merged over each other, and each value remembers where it came from. */

import * as z from "zod/mini";
import { closestName, describeValue, withSource } from "./config-error.ts";
import { formatPath, nest, type Path, root, type Setting, settings } from "./settings.ts";

type Values = Record<string, unknown>;

/** A sentence, and the setting that it is about where it does no harm to others. */
export interface Problem {
  readonly message: string;
  readonly path?: string;
}

export class ConfigBuilder {
  readonly values: Values = {};
  /** Where each value came from, by the setting's path. */
  readonly sources = new Map<string, string>();
  /** What keeps the server from starting. */
  readonly problems: Problem[] = [];
  /** What does not. */
  readonly warnings: string[] = [];

  /** Merges one source over what is there: objects key by key, everything else as a whole. */
  merge(values: unknown, source: string): void {
    if (isObject(values)) this.#mergeObject(this.values, values, root, [], source);
    else this.refuse(`${source || "the configuration"} has to be an object, but is ${describeValue(values)}`);
  }

  set(path: string, value: unknown, source: string): void {
    this.merge(nest(path, value), source);
  }

  refuse(message: string, path?: string): void {
    this.problems.push({ message, ...(path !== undefined && { path }) });
  }

  /** The source of a value, or of the nearest object or list around it that has one. */
  sourceOf(path: Path): string | undefined {
    for (let length = path.length; length > 0; length--) {
      const source = this.sources.get(formatPath(path.slice(0, length)));
      if (source) return source;
    }
    return undefined;
  }

  /** Going through own keys one by one leaves `__proto__` without effect. */
  #mergeObject(target: Values, values: Values, setting: Setting, path: Path, source: string): void {
    const isInList = path.some((step) => typeof step === "number");
    for (const [key, given] of Object.entries(values)) {
      const field = setting.fields.get(key);
      const here = [...path, key];
      const value = field?.isSwitch && typeof given === "boolean" ? (given ? {} : undefined) : given;
      if (field === undefined) this.refuse(withSource(unknownKey(key, setting, path), source));
      else if (value === undefined) continue;
      else if (field.kind === "object" && isObject(value)) {
        const inner = target[key];
        const next: Values = isObject(inner) ? inner : {};
        target[key] = next;
        this.#mergeObject(next, value, field, here, source);
      } else if (field.kind === "object") {
        const message = `\`${formatPath(here)}\` has to be ${field.expects}, but is ${describeValue(value)}`;
        this.refuse(withSource(message, source));
      } else {
        target[key] = this.#copy(value, field, here, source);
        if (!isInList) this.sources.set(formatPath(here), source);
      }
    }
  }

  #copy(value: unknown, setting: Setting, path: Path, source: string): unknown {
    const { element } = setting;
    if (element !== undefined && Array.isArray(value)) {
      return value.map((inner, index) => this.#copyElement(inner, element, [...path, index], source));
    }
    // A file may have an id or a password that is a number; a program knows its types.
    const isText = source !== "" && setting.schema instanceof z.ZodMiniString;
    return isText && typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
  }

  #copyElement(value: unknown, element: Setting, path: Path, source: string): unknown {
    if (element.kind !== "object" || !isObject(value)) return this.#copy(value, element, path, source);
    const copy: Values = {};
    this.#mergeObject(copy, value, element, path, source);
    return copy;
  }
}

function unknownKey(key: string, { fields }: Setting, path: Path): string {
  const known = [...fields.keys()];
  const sibling = closestName(key, known);
  const meant = sibling === undefined ? elsewhere(key) : formatPath([...path, sibling]);
  const hint = meant === undefined ? `known here: ${known.join(", ")}` : `did you mean \`${meant}\`?`;
  return `unknown key \`${formatPath([...path, key])}\`: ${hint}`;
}

/** The setting of that name in another place: `frameBytes` is `limits.frameBytes`. */
function elsewhere(key: string): string | undefined {
  const paths = settings.map(({ path }) => path);
  const sameKey = settings.find((setting) => setting.key.toLowerCase() === key.toLowerCase());
  return sameKey?.path ?? closestName(key, paths);
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
