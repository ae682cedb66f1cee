/** The apps that are known here: the configured ones, else the demo app. */

import { demoApp, demoAppFile, readDemoApp } from "../config/demo-app.ts";
import type { Config } from "../config/load.ts";
import type { App } from "../domain/app.ts";
import { loadHere } from "./config-flags.ts";
import { CliError } from "./errors.ts";

export interface AppOptions {
  readonly app?: string;
  readonly key?: string;
  readonly secret?: string;
  readonly config?: string;
}

interface KnownApps {
  readonly config: Config;
  readonly apps: readonly App[];
}

export async function knownApps({ config: file }: Pick<AppOptions, "config">): Promise<KnownApps> {
  const { config } = await loadHere({ file });
  return { config, apps: await appsOf(config) };
}

/** The demo app is read, never made. */
export async function appsOf({ apps, stateDir, defaults }: Config): Promise<readonly App[]> {
  if (apps.length > 0) return apps;
  const demo = await readDemoApp(demoAppFile(stateDir));
  return demo === undefined ? [] : [await demoApp(stateDir, defaults)];
}

/** By its id or its key; the first one where none is named. */
export function findApp(apps: readonly App[], name: string | undefined): App | undefined {
  return name === undefined ? apps[0] : apps.find(({ id, key }) => id === name || key === name);
}

export interface ChosenApp {
  readonly app: App;
  readonly others: readonly App[];
}

/** The app that is meant, and the others there are. What is said on the command line goes before what was found. */
export function chooseApp({ config, apps }: KnownApps, options: AppOptions, hint?: string): ChosenApp {
  const { key, secret } = options;
  const named = options.app ?? key;
  const found = findApp(apps, named ?? hint) ?? (named === undefined ? apps[0] : undefined);
  if (found === undefined && named === undefined) throw noApp("--key and --secret");
  const id = found?.id ?? options.app ?? named ?? "";
  const others = apps.filter((app) => app.id !== id);
  const given = { ...(key && { key }), ...(secret && { secrets: [secret] as const }) };
  if (found !== undefined) return { app: { ...found, ...given }, others };
  if (secret !== undefined) {
    const app = { ...config.defaults, id, key: id, name: id, enabled: true, secrets: [secret] as const };
    return { app: { ...app, ...given }, others };
  }
  const known = apps.length === 0 ? "none is configured" : `known are ${apps.map((app) => app.id).join(", ")}`;
  throw new CliError(`there is no app ${JSON.stringify(named)} here: ${known}`);
}

/** What to do when no app is known. */
export function noApp(needed: string): CliError {
  return new CliError(
    `no app to use: name one with ${needed}, or run this where \`fanfare serve\` has been started once or an app is configured`,
  );
}
