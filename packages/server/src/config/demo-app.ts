/** The app that a server has when none is configured: made at the first start and kept, so that it can be tried at once. */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { App, ChannelRule } from "../domain/app.ts";
import { ConfigError, errorReason } from "./config-error.ts";
import { parseJson } from "./parse-value.ts";
import type { AppDefaults, Config } from "./schema/schema.ts";
import { createStateFile, readStateFile } from "./state-file.ts";

/** What the file holds. */
export interface DemoCredentials {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** The presence channel of the board on the first page. */
export const WORKSHOP = "presence-workshop";

/**
 * The board's notes are kept, so that who comes later or comes back has them; the cursors are not, or they would push the
 * notes out. Guests are as limited as every client: `clientEventsPerSecond`, and what is kept has an end.
 */
const BOARD_RULES: readonly ChannelRule[] = [
  { match: WORKSHOP, clientPublish: "any", history: { size: 500, ttlS: 86_400 } },
  { match: "private-workshop-cursors", recovery: false },
];

export function demoAppFile(stateDir: string): string {
  return join(stateDir, "demo-app.json");
}

/** Reads the demo app, or makes it. Throws ConfigError when neither works. */
export async function demoApp(stateDir: string, defaults: AppDefaults): Promise<App> {
  const file = demoAppFile(stateDir);
  const { id, key, secret } = (await readDemoApp(file)) ?? (await createDemoApp(file));
  const switches = { clientEvents: true, anonymous: true, subscriptionCounts: true };
  const channels = [...BOARD_RULES, ...defaults.channels];
  return { ...defaults, ...switches, channels, id, key, secrets: [secret], name: "Demo", enabled: true };
}

/** The configuration with an app in it: its own, else the demo app where the mode allows it. */
export async function withDemoApp(config: Config): Promise<{ readonly config: Config; readonly demoFile?: string }> {
  if (config.apps.length > 0) return { config };
  if (config.mode === "production") throw new ConfigError(NO_APP);
  const app = await demoApp(config.stateDir, config.defaults);
  return { config: { ...config, apps: [app] }, demoFile: demoAppFile(config.stateDir) };
}

const NO_APP =
  "no app is configured, and production makes no demo app: set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET, " +
  "or list the apps under `apps` in a configuration file";

/** Undefined when there is no such file. */
export async function readDemoApp(file: string): Promise<DemoCredentials | undefined> {
  let text: string | undefined;
  try {
    text = readStateFile(file);
  } catch (error) {
    const what = `cannot read the demo app from ${file}: ${errorReason(error)}`;
    throw new ConfigError(`${what}; make it readable, or delete it to get a new one`);
  }
  if (text === undefined) return undefined;
  const { id, key, secret }: Partial<DemoCredentials> = Object(parseJson(text));
  if (isCredential(id) && isCredential(key) && isCredential(secret)) return { id, key, secret };
  throw new ConfigError(`${file} does not hold a demo app any more: delete it to get a new one`);
}

function isCredential(value: unknown): value is string {
  return typeof value === "string" && /^[-A-Za-z0-9_.]{1,128}$/.test(value);
}

/** Of two processes that start at once, the slower takes what the other made. */
async function createDemoApp(file: string): Promise<DemoCredentials> {
  const made = { id: "demo", key: randomBytes(20).toString("hex"), secret: randomBytes(20).toString("hex") };
  try {
    if (createStateFile(file, `${JSON.stringify(made, undefined, 2)}\n`)) return made;
  } catch (error) {
    throw new ConfigError(
      `cannot keep the demo app in ${file}: ${errorReason(error)}; set FANFARE_STATE_DIR to a folder that can be written, ` +
        "or configure an app with PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET",
    );
  }
  return (await readDemoApp(file)) ?? createDemoApp(file);
}
