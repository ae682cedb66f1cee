/** Shows a configuration without its secrets: whatever the table calls one, wherever it is. */

import type { Config } from "./schema/schema.ts";
import { factsAt, type Path } from "./settings.ts";

const HIDDEN = "******";

/** The same configuration, with every secret value replaced. */
export function maskSecrets(config: Config): Config {
  return masked(config, []) as Config;
}

function masked(value: unknown, path: Path): unknown {
  if (value === undefined) return value;
  const { facts, depth } = factsAt(path);
  if (facts.secret && depth === path.length) return hidden(value);
  if (Array.isArray(value)) return value.map((one, index) => masked(one, [...path, index]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, masked(inner, [...path, key])]));
}

/** How many there are is no secret, nor are the names of headers. */
function hidden(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(() => HIDDEN);
  if (typeof value !== "object" || value === null) return HIDDEN;
  return Object.fromEntries(Object.keys(value).map((key) => [key, HIDDEN]));
}
