/** `fanfare apps`: the apps in the database. A server that runs on it sees every change within a second. */

import { AppError, SqlApps } from "../../apps/sql.ts";
import type { AppInput } from "../../config/load.ts";
import type { App } from "../../domain/app.ts";
import { machineClock } from "../../server/system/machine-clock.ts";
import { knownApps } from "../apps.ts";
import { CliError } from "../errors.ts";
import { parseJson } from "../json.ts";
import { printable, type Report, table } from "../output.ts";
import { type OpenedDatabase, withTables } from "./database.ts";

interface AppFields {
  readonly id?: string;
  readonly key?: string;
  readonly name?: string;
  /** JSON. */
  readonly settings?: string;
}

interface EditOptions extends AppFields {
  readonly enable?: true;
  readonly disable?: true;
}

const NONE = "there is no app yet: add one with `fanfare apps add`, or `fanfare serve` makes one to try things out";

export async function listApps(options: object): Promise<Report> {
  const known = await withApps(options, async (apps, { config }) => [
    ...config.apps.map((app) => described(app, "configuration")),
    ...apps.list().map((app) => described(app, "database")),
  ]);
  // A server makes it where there is none, and removes it when there is one.
  if (known.length === 0) known.push(...(await knownApps(options)).apps.map((app) => described(app, "demo")));
  const lines = known.map(({ id, key, name, enabled, keptIn }) =>
    [printable(id), printable(key), printable(name), enabled ? "on" : "off", keptIn].join("\t"),
  );
  return { json: known, text: known.length === 0 ? NONE : lines.join("\n") };
}

export async function addApp(options: AppFields): Promise<string> {
  const { id, key, name, settings } = options;
  const named = { ...(id && { id }), ...(key && { key }), ...(name && { name }) };
  const input: Partial<AppInput> = { ...settingsIn(settings), ...named };
  const app = await withApps(options, (apps) => apps.add(input));
  const rows = [
    ["app id", app.id],
    ["app key", app.key],
    ["app secret", app.secrets[0]],
  ] as const;
  return table(rows, { indent: 0 }).join("\n");
}

export async function editApp(options: EditOptions, id: string): Promise<string> {
  const { name, settings, enable, disable } = options;
  if (enable && disable) throw new CliError("an app is enabled or disabled: keep one of --enable and --disable");
  const switched = enable || disable ? { enabled: enable === true } : {};
  const changes = { ...settingsIn(settings), ...(name !== undefined && { name }), ...switched };
  if (Object.keys(changes).length === 0) throw new CliError("nothing to change: see fanfare apps edit --help");
  const app = await withApps(options, (apps) => apps.edit(id, changes));
  return `app ${printable(app.id)} is changed, and ${app.enabled ? "enabled" : "disabled"}`;
}

export async function rotateSecret(options: { readonly forget?: true }, id: string): Promise<string> {
  const { forget = false } = options;
  const secret = await withApps(options, (apps) => apps.rotate(id, forget));
  return forget ? "only the newest secret counts now" : `app secret  ${secret}`;
}

export async function removeApp(options: object, id: string): Promise<string> {
  await withApps(options, (apps) => apps.remove(id));
  return `app ${printable(id)} is removed`;
}

function withApps<T>(options: object, act: (apps: SqlApps, opened: OpenedDatabase) => Promise<T>): Promise<T> {
  return withTables(options, async (opened) => {
    const { database, config } = opened;
    const failed = (error: unknown) => process.stderr.write(`fanfare: ${printable(String(error))}\n`);
    const apps = new SqlApps({ database, defaults: config.defaults, clock: machineClock, failed });
    await apps.refresh();
    return act(apps, opened).catch((error: unknown) => {
      throw error instanceof AppError ? new CliError(error.message) : error;
    });
  });
}

function described({ id, key, name, enabled }: App, keptIn: "configuration" | "database" | "demo") {
  return { id, key, name, enabled, keptIn };
}

function settingsIn(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  const value = parseJson(text);
  if (value === undefined) throw new CliError("--settings has to be JSON, but does not parse");
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new CliError("--settings has to be a JSON object");
}
