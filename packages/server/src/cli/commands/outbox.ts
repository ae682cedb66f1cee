/** `fanfare outbox`: the tables in applications' databases from which publications are read. */

import type { DatabaseKind } from "../../database/open.ts";
import { messageOf } from "../../domain/thrown.ts";
import { notificationName, outboxScript } from "../../outbox/dialect.ts";
import { sourceSettings } from "../../outbox/outboxes.ts";
import { type FailedRow, OutboxSource } from "../../outbox/source.ts";
import { chosenNumbers, wholeNumber } from "../arguments.ts";
import { loadHere, readConfigFlags } from "../config-flags.ts";
import { CliError } from "../errors.ts";
import { plural, printable, type Report } from "../output.ts";
import { BUSY_MS } from "./database.ts";

interface SourceOptions {
  readonly source?: string;
}

export async function printSchema(options: {
  readonly dialect: DatabaseKind;
  readonly table: string;
  readonly notify?: true;
}): Promise<string> {
  const { dialect: kind, table, notify = false } = options;
  if (!/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$/.test(table)) throw new CliError("--table has to be a table's name");
  if (notify && kind !== "postgres") throw new CliError("--notify is for PostgreSQL only");
  return outboxScript(kind, { table, notify }).trimEnd();
}

export async function migrateOutboxes(options: SourceOptions): Promise<string> {
  const lines = await eachSource(options, async (source) => {
    await source.migrate();
    return `${source.name}: the table is there, in ${source.place}`;
  });
  return lines.join("\n");
}

export async function listFailedRows(options: SourceOptions & { readonly limit: string }): Promise<Report> {
  const limit = wholeNumber("--limit", options.limit);
  const lists = await eachSource(options, async (source) =>
    (await source.failed(limit)).map((row) => ({ source: source.name, ...row })),
  );
  const failed = lists.flat();
  return { json: failed, text: failed.length === 0 ? "there are none" : failed.map(lineOf).join("\n") };
}

export async function retryRows(
  options: SourceOptions & { readonly all?: true },
  ids: readonly string[],
): Promise<string> {
  const wanted = chosenNumbers("row", ids, options.all);
  const counts = await eachSource(options, (source) => source.retry(wanted), wanted !== undefined);
  const count = counts.reduce((sum, one) => sum + one, 0);
  return `${plural(count, "row")} ${count === 1 ? "waits" : "wait"} again, for the server that reads this database`;
}

/** Throws CliError where a source cannot be used. Numbers are of one source: with `onlyOne` it has to be clear of which. */
async function eachSource<T>(
  options: SourceOptions,
  act: (source: OutboxSource) => Promise<T>,
  onlyOne = false,
): Promise<readonly T[]> {
  const { config } = await loadHere(readConfigFlags(options));
  const all = config.outbox.map(sourceSettings);
  const chosen = all.filter(({ name }) => options.source === undefined || name === options.source);
  const names = all.map(({ name }) => name).join(", ");
  if (all.length === 0) throw new CliError("no outbox is configured here: see docs/outbox.md");
  if (chosen.length === 0)
    throw new CliError(`there is no source ${printable(options.source ?? "")}: there are ${names}`);
  if (onlyOne && chosen.length > 1) throw new CliError(`say of which source the numbers are, with --source: ${names}`);
  const results: T[] = [];
  for (const settings of chosen) {
    await using source = await OutboxSource.open(settings, BUSY_MS);
    try {
      results.push(await act(source));
    } catch (error) {
      const where = `${source.place}, table ${notificationName(settings.table)}`;
      throw new CliError(`the outbox ${source.name} cannot be used (${where}): ${messageOf(error)}`);
    }
  }
  return results;
}

function lineOf({ source, id, failedAt, app, channel, userId, event, error }: FailedRow & { source: string }): string {
  const to = channel ?? `user ${userId ?? ""}`;
  return [source, String(id), failedAt, app ?? "", to, event, error].map(printable).join("\t");
}
