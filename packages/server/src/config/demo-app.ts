/** The app that a server has when nobody configured one: made at first start and kept, so that it can be tried at once. */

import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { App } from "../domain/app.ts";
import { ConfigError } from "./config-error.ts";
import { errorReason } from "./config-file.ts";
import type { AppDefaults, Config } from "./schema/schema.ts";

/** What the file holds. */
export interface DemoCredentials {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

export function demoAppFile(stateDir: string): string {
  return join(stateDir, "demo-app.json");
}

/** Reads the demo app, or makes it. Throws ConfigError when neither works. */
export async function demoApp(stateDir: string, defaults: AppDefaults): Promise<App> {
  const file = demoAppFile(stateDir);
  const { id, key, secret } = (await readDemoApp(file)) ?? (await create(stateDir, file));
  const switches = { clientEvents: true, anonymous: true, subscriptionCounts: true };
  return { ...defaults, ...switches, id, key, secrets: [secret], name: "Demo", enabled: true };
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
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new ConfigError(
      `cannot read the demo app from ${file}: ${errorReason(error)}; make it readable, or delete it to get a new one`,
    );
  }
  const credentials = credentialsIn(text);
  if (credentials !== undefined) return credentials;
  throw new ConfigError(`${file} does not hold a demo app any more: delete it to get a new one`);
}

function credentialsIn(text: string): DemoCredentials | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("id" in value && "key" in value && "secret" in value)) return undefined;
  const { id, key, secret } = value;
  const texts = [id, key, secret].every((part) => typeof part === "string" && /^[-A-Za-z0-9_.]{1,128}$/.test(part));
  return texts ? { id: String(id), key: String(key), secret: String(secret) } : undefined;
}

/** Written aside and then linked, which fails where the file exists: of two processes, the slower takes the other's. */
async function create(stateDir: string, file: string): Promise<DemoCredentials> {
  const made = { id: "demo", key: randomBytes(20).toString("hex"), secret: randomBytes(20).toString("hex") };
  const aside = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await writeFile(aside, `${JSON.stringify(made, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
    await publish(aside, file);
    return made;
  } catch (error) {
    const other = codeOf(error) === "EEXIST" ? await readDemoApp(file) : undefined;
    if (other !== undefined) return other;
    throw new ConfigError(
      `cannot keep the demo app in ${file}: ${errorReason(error)}; set FANFARE_STATE_DIR to a folder that can be written, ` +
        "or configure an app with PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET",
    );
  } finally {
    await rm(aside, { force: true });
  }
}

/** Some file systems have no links; there the file is made in place, for which only one process can be first too. */
async function publish(aside: string, file: string): Promise<void> {
  try {
    await link(aside, file);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(error))) throw error;
    await writeFile(file, await readFile(aside), { mode: 0o600, flag: "wx" });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
