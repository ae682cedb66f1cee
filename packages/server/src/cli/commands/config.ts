/** `fanfare config check` and `fanfare config show`: whether the configuration is valid, and what comes out of it. */

import { type Loaded, maskSecrets } from "../../config/load.ts";
import { encodeUnlimited } from "../../config/parse-value.ts";
import { settings, valueAt } from "../../config/settings.ts";
import { loadHere, readConfigFlags } from "../config-flags.ts";
import type { Report } from "../output.ts";

export async function checkConfig(options: object): Promise<string> {
  const { file, warnings } = await loadHere(readConfigFlags(options));
  for (const warning of warnings) console.error(`fanfare: warning: ${warning}`);
  return `the configuration is valid (${file ?? "no file, only defaults, environment and flags"})`;
}

export async function showConfig(options: object): Promise<Report> {
  const loaded = await loadHere(readConfigFlags(options));
  const json = { config: maskSecrets(loaded.config), sources: Object.fromEntries(placedSources(loaded)) };
  return { json, text: asText(loaded) };
}

/** With the file and the line behind each variable that stands in one. */
function placedSources({ sources, variableLocations: places }: Loaded): Map<string, string> {
  const placed = (from: string) =>
    from.replaceAll(/\w+/g, (name) => `${name}${places.has(name) ? ` in ${places.get(name)}` : ""}`);
  return new Map([...sources].map(([path, from]) => [path, placed(from)]));
}

/** `limits.frameBytes = 4096   (from FANFARE_LIMITS_FRAME_BYTES in .env:3)` */
function asText(loaded: Loaded): string {
  const { config } = loaded;
  const sources = placedSources(loaded);
  const shown: unknown = maskSecrets(config);
  const lines: string[] = [];
  const print = (path: string, value: unknown, source: string | undefined) =>
    lines.push(`${path} = ${JSON.stringify(value, encodeUnlimited)}${source ? `   (from ${source})` : ""}`);
  for (const { path, kind, secret } of settings) {
    const value = valueAt(shown, path.split("."));
    if (kind === "object" || value === undefined || path === "apps") continue;
    print(path, secret ? "******" : value, sources.get(path));
  }
  const apps = valueAt(shown, ["apps"]);
  for (const [index, app] of (Array.isArray(apps) ? apps : []).entries()) {
    print(`apps[${index}]`, app, sources.get(`apps[${index}]`) ?? sources.get("apps"));
  }
  if (config.apps.length === 0) print("apps", [], sources.get("apps"));
  return lines.join("\n");
}
