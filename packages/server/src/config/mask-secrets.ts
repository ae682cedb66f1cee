/** Shows a configuration without its secrets. */

import type { Config } from "./schema/schema.ts";
import { type Path, settingAt } from "./settings.ts";

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
