/** `fanfare apps`: the apps that are kept in the database. A server that runs on it sees every change within a second. */

import type { Command } from "commander";
import { AppError, SqlApps } from "../../apps/sql.ts";
import type { AppInput } from "../../config/parse-app.ts";
import type { App } from "../../domain/app.ts";
import { machineClock } from "../../server/system/machine-clock.ts";
import { knownApps } from "../apps.ts";
import { addDatabaseFlags, type OpenedDatabase, withDatabase } from "../database.ts";
import { CliError } from "../errors.ts";
import { printable } from "../output.ts";

interface ListOptions {
  readonly json?: true;
}

interface AddOptions {
  readonly id?: string;
  readonly key?: string;
  readonly name?: string;
  readonly settings?: string;
}

interface EditOptions {
  readonly name?: string;
  readonly settings?: string;
  readonly enable?: true;
  readonly disable?: true;
}

const SETTINGS = "settings as in a configuration file, in JSON";

export function addApps(program: Command): void {
  const group = program.command("apps").description("list and change the apps that are kept in the database");
  addList(group);
  addAdd(group);
  addEdit(group);
  addRotate(group);
  addRemove(group);
}

function addList(group: Command): void {
  const command = group.command("list").description("print the apps, those of the configuration included");
  addDatabaseFlags(command)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ fanfare apps list")
    .action(async () => {
      const known = await withApps(command, async (apps, { config }) => [
        ...config.apps.map((app) => described(app, "configuration")),
        ...apps.list().map((app) => described(app, "database")),
      ]);
      // A server makes it where there is none, and lets it go when there is one.
      if (known.length === 0)
        known.push(...(await knownApps(command.opts())).apps.map((app) => described(app, "demo")));
      if (command.opts<ListOptions>().json) return console.log(JSON.stringify(known, undefined, 2));
      if (known.length === 0) {
        console.log(
          "there is no app yet: add one with `fanfare apps add`, or `fanfare serve` makes one to try things out",
        );
      }
      for (const { id, key, name, enabled, keptIn } of known) {
        console.log(`${printable(id)}\t${printable(key)}\t${printable(name)}\t${enabled ? "on" : "off"}\t${keptIn}`);
      }
    });
}

function addAdd(group: Command): void {
  const command = group.command("add").description("make an app; what is not given is made up");
  addDatabaseFlags(command)
    .option("--id <id>", "names the app in the HTTP API")
    .option("--key <key>", "names the app when a client connects")
    .option("--name <text>", "a name for people")
    .option("--settings <json>", SETTINGS)
    .addHelpText("after", `\nExample:\n  $ fanfare apps add --id shop --settings '{"clientEvents":true}'`)
    .action(async () => {
      const { settings, ...given } = command.opts<AddOptions>();
      const { id, key, name } = given;
      const named = { ...(id && { id }), ...(key && { key }), ...(name && { name }) };
      const input: Partial<AppInput> = { ...settingsIn(settings), ...named };
      const app = await withApps(command, (apps) => apps.add(input));
      console.log(`app id      ${app.id}\napp key     ${app.key}\napp secret  ${app.secrets[0]}`);
    });
}

function addEdit(group: Command): void {
  const command = group
    .command("edit")
    .description("change an app; a setting that is null takes its default again")
    .argument("<id>", "the app");
  addDatabaseFlags(command)
    .option("--name <text>", "a name for people")
    .option("--settings <json>", SETTINGS)
    .option("--enable", "let clients and calls in again")
    .option("--disable", "refuse clients (4003) and calls (403), and end its connections")
    .addHelpText("after", "\nExample:\n  $ fanfare apps edit shop --disable")
    .action(async (id: string) => {
      const { name, settings, enable, disable } = command.opts<EditOptions>();
      if (enable && disable) throw new CliError("an app is enabled or disabled: keep one of --enable and --disable");
      const switched = enable || disable ? { enabled: enable === true } : {};
      const changes = { ...settingsIn(settings), ...(name !== undefined && { name }), ...switched };
      if (Object.keys(changes).length === 0) throw new CliError("nothing to change: see fanfare apps edit --help");
      const app = await withApps(command, (apps) => apps.edit(id, changes));
      console.log(`app ${printable(app.id)} is changed, and ${app.enabled ? "enabled" : "disabled"}`);
    });
}

function addRotate(group: Command): void {
  const command = group
    .command("rotate")
    .description("give an app a new secret; the old ones count until --forget")
    .argument("<id>", "the app");
  addDatabaseFlags(command)
    .option("--forget", "make no new secret, but let only the newest count from now on")
    .addHelpText("after", "\nExample:\n  $ fanfare apps rotate shop\n  $ fanfare apps rotate shop --forget")
    .action(async (id: string) => {
      const forget = command.opts<{ forget?: true }>().forget ?? false;
      const secret = await withApps(command, (apps) => apps.rotate(id, forget));
      console.log(forget ? "only the newest secret counts now" : `app secret  ${secret}`);
    });
}

function addRemove(group: Command): void {
  const command = group
    .command("remove")
    .description("delete an app, and end its connections (4001)")
    .argument("<id>", "the app");
  addDatabaseFlags(command)
    .addHelpText("after", "\nExample:\n  $ fanfare apps remove shop")
    .action(async (id: string) => {
      await withApps(command, (apps) => apps.remove(id));
      console.log(`app ${printable(id)} is removed`);
    });
}

async function withApps<T>(command: Command, act: (apps: SqlApps, kept: OpenedDatabase) => Promise<T>): Promise<T> {
  return withDatabase(command, async (kept) => {
    const { database, config } = kept;
    const failed = (error: unknown) => process.stderr.write(`fanfare: ${printable(String(error))}\n`);
    const apps = new SqlApps({ database, defaults: config.defaults, clock: machineClock, failed });
    await apps.refresh();
    try {
      return await act(apps, kept);
    } catch (error) {
      throw error instanceof AppError ? new CliError(error.message) : error;
    }
  });
}

function described({ id, key, name, enabled }: App, keptIn: "configuration" | "database" | "demo") {
  return { id, key, name, enabled, keptIn };
}

function settingsIn(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CliError("--settings has to be JSON, but does not parse");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new CliError("--settings has to be a JSON object");
}
