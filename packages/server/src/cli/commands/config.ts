/** `fanfare config check` and `fanfare config show`: whether the configuration is valid, and what comes out of it. */

import type { Command } from "commander";
import { type Loaded, loadConfig, maskSecrets } from "../../config/load.ts";
import { settings } from "../../config/settings.ts";
import { addConfigFlags, readConfigFlags } from "../config-flags.ts";

export function addConfig(program: Command): void {
  const group = program.command("config").description("check or show the configuration");
  const check = group.command("check").description("say whether the configuration is valid");
  addConfigFlags(check)
    .addHelpText("after", "\nExample:\n  $ fanfare config check --config fanfare.config.yaml")
    .action(async () => {
      const { file, warnings } = await load(check);
      for (const warning of warnings) console.error(`fanfare: warning: ${warning}`);
      console.log(`the configuration is valid (${file ?? "no file, only defaults, environment and flags"})`);
    });
  const show = group.command("show").description("print every setting, without secrets, and where it came from");
  addConfigFlags(show)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ FANFARE_PORT=8080 fanfare config show")
    .action(async () => {
      const loaded = await load(show);
      console.log(show.opts<{ json?: true }>().json ? asJson(loaded) : asText(loaded));
    });
}

function load(command: Command): Promise<Loaded> {
  return loadConfig({ ...readConfigFlags(command), env: process.env, cwd: process.cwd() });
}

function asJson(loaded: Loaded): string {
  const sources = Object.fromEntries(placedSources(loaded));
  return JSON.stringify({ config: maskSecrets(loaded.config), sources }, spellUnlimited, 2);
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
    lines.push(`${path} = ${JSON.stringify(value, spellUnlimited)}${source ? `   (from ${source})` : ""}`);
  for (const { path, kind, facts } of settings) {
    const value = valueAt(shown, path);
    if (kind === "object" || value === undefined || path === "apps") continue;
    print(path, facts.secret ? "******" : value, sources.get(path));
  }
  const apps = valueAt(shown, "apps");
  for (const [index, app] of (Array.isArray(apps) ? apps : []).entries()) {
    print(`apps[${index}]`, app, sources.get(`apps[${index}]`) ?? sources.get("apps"));
  }
  if (config.apps.length === 0) print("apps", [], sources.get("apps"));
  return lines.join("\n");
}

function valueAt(values: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    if (typeof value !== "object" || value === null) return undefined;
    return Object.getOwnPropertyDescriptor(value, key)?.value;
  }, values);
}

/** JSON has no infinity; the configuration spells it so too. */
function spellUnlimited(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? "unlimited" : value;
}
