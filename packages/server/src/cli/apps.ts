/** The apps that are known here, for commands that work without a server: the configured ones, else the demo app. */

import type { Command } from "commander";
import { demoApp, demoAppFile, readDemoApp } from "../config/demo-app.ts";
import { type Config, loadConfig } from "../config/load.ts";
import type { App } from "../domain/app.ts";
import { CliError } from "./errors.ts";
import { noApp } from "./target.ts";

export interface AppOptions {
  readonly app?: string;
  readonly key?: string;
  readonly secret?: string;
  readonly config?: string;
}

export interface KnownApps {
  readonly config: Config;
  readonly apps: readonly App[];
}

export function addAppOption(command: Command): Command {
  return command
    .option("--app <id or key>", "the app, by its id or its key (default: the first one configured, else the demo app)")
    .option("-c, --config <file>", "take the app from this configuration file");
}

/** The demo app is read, never made. */
export async function knownApps(options: Pick<AppOptions, "config">): Promise<KnownApps> {
  const file = options.config === undefined ? {} : { file: options.config };
  const { config } = await loadConfig({ env: process.env, cwd: process.cwd(), ...file });
  if (config.apps.length > 0) return { config, apps: config.apps };
  const demo = await readDemoApp(demoAppFile(config.stateDir));
  return { config, apps: demo === undefined ? [] : [await demoApp(config.stateDir, config.defaults)] };
}

/** The app that is meant, and the others there are. What is said on the command line goes before what was found. */
export function chooseApp({ config, apps }: KnownApps, options: AppOptions, hint?: string) {
  const { key, secret } = options;
  const named = options.app ?? key;
  const wanted = named ?? hint;
  const found = wanted === undefined ? undefined : apps.find((app) => app.id === wanted || app.key === wanted);
  const others = (app: App) => apps.filter((one) => one.id !== app.id);
  const chosen = found ?? (named === undefined ? apps[0] : undefined);
  if (chosen !== undefined) {
    const app = { ...chosen, ...(key && { key }), ...(secret && { secrets: [secret] as const }) };
    return { app, others: others(chosen) };
  }
  if (named !== undefined && secret !== undefined) {
    const id = options.app ?? named;
    const app: App = { ...config.defaults, id, key: key ?? named, secrets: [secret], name: id, enabled: true };
    return { app, others: others(app) };
  }
  if (named === undefined) throw noApp("--key and --secret");
  throw new CliError(`there is no app ${JSON.stringify(named)} here: ${known(apps)}`);
}

function known(apps: readonly App[]): string {
  return apps.length === 0 ? "none is configured" : `known are ${apps.map(({ id }) => id).join(", ")}`;
}
