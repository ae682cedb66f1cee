/** Commands that work on the database of a server with these settings, whether it runs or not: `fanfare migrate`, `statistics` and `webhooks`. */

import type { Config } from "../../config/load.ts";
import { defaultDatabaseUrl } from "../../config/schema/storage.ts";
import { migrate, migratesAutomatically, NewerDatabaseError, pendingMigrations } from "../../database/migrate.ts";
import { type Database, openDatabase } from "../../database/open.ts";
import { forgetAll, timeBefore } from "../../database/retention.ts";
import type { StoredDelivery } from "../../domain/receiver-report.ts";
import { messageOf } from "../../domain/thrown.ts";
import { StatisticsStore } from "../../observers/statistics/store.ts";
import { WebhookQueue } from "../../observers/webhooks/webhook-queue.ts";
import { chosenNumbers, wholeNumber } from "../arguments.ts";
import { loadHere, readConfigFlags } from "../config-flags.ts";
import { CliError } from "../errors.ts";
import { printable, type Report } from "../output.ts";

/** A person waits for the answer: a file that another process writes to is waited for. */
export const BUSY_MS = 10_000;

export interface OpenedDatabase {
  readonly config: Config;
  readonly database: Database;
}

/** Runs `act` with the database as it is. Throws CliError where it cannot be used. */
async function withDatabase<T>(options: object, act: (opened: OpenedDatabase) => Promise<T>): Promise<T> {
  const { config } = await loadHere(readConfigFlags(options));
  const database = await openDatabase(config.database.url ?? defaultDatabaseUrl(config.stateDir), { busyMs: BUSY_MS });
  try {
    return await act({ config, database });
  } finally {
    await database.close();
  }
}

/** The same, with its tables as they have to be: made as the server would at its start, where it makes them by itself. */
export function withTables<T>(options: object, act: (opened: OpenedDatabase) => Promise<T>): Promise<T> {
  return withDatabase(options, async (opened) => {
    const { database, config } = opened;
    if ((await missingTables(database)).length > 0) {
      if (!migratesAutomatically(database, config.database.migrate)) {
        throw new CliError(`${database.name} has not all the tables it should have: run \`fanfare migrate\` first`);
      }
      await migrate(database);
    }
    return act(opened);
  });
}

async function missingTables(database: Database): Promise<readonly string[]> {
  try {
    return await pendingMigrations(database);
  } catch (error) {
    if (error instanceof NewerDatabaseError) throw new CliError(error.message);
    throw new CliError(`cannot reach ${database.name}: ${messageOf(error)}`);
  }
}

/** `fanfare migrate`: brings the tables up to date. */
export function migrateDatabase(options: object): Promise<string> {
  return withDatabase(options, async ({ database }) => {
    await missingTables(database);
    const { done } = await migrate(database).catch((error: unknown) => {
      throw new CliError(`cannot change ${database.name}: ${messageOf(error)}`);
    });
    return `${database.name} ${done.length === 0 ? "is up to date already" : `is up to date now: ${done.join(", ")}`}`;
  });
}

interface StatisticsOptions {
  readonly app?: string;
  readonly days?: string;
}

/** `fanfare statistics clean`: deletes what was counted long ago. The server does so by itself once a day. */
export async function cleanStatistics(options: StatisticsOptions): Promise<string> {
  const { app, days } = options;
  const keepDays = days === undefined ? undefined : wholeNumber("--days", days, 0);
  const count = await withTables(options, (opened) => {
    const nowMs = Date.now();
    const before = timeBefore(nowMs, keepDays ?? opened.config.statistics.keepDays);
    return forgetAll(storeOf(opened).forget(before, nowMs, app));
  });
  return `${count} rows are forgotten`;
}

export async function flushStatistics(options: StatisticsOptions): Promise<string> {
  return `${await withTables(options, (opened) => storeOf(opened).flush(options.app))} rows are forgotten`;
}

function storeOf({ database }: OpenedDatabase): StatisticsStore {
  return new StatisticsStore(database, "cli");
}

/** `fanfare webhooks failed`: those that no receiver took in time. */
export async function listFailed(options: { readonly app?: string; readonly limit: string }): Promise<Report> {
  const limit = wholeNumber("--limit", options.limit);
  const failed = await withTables(options, (opened) => queueOf(opened).failed(limit, options.app));
  return { json: failed, text: failed.length === 0 ? "there are none" : failed.map(lineOf).join("\n") };
}

export async function replay(options: { readonly all?: true }, ids: readonly string[]): Promise<string> {
  const wanted = chosenNumbers("delivery", ids, options.all);
  const count = await withTables(options, (opened) => queueOf(opened).replay(Date.now(), wanted));
  return `${count} ${count === 1 ? "goes" : "go"} out again, by a server that runs on this database`;
}

function queueOf({ database }: OpenedDatabase): WebhookQueue {
  return new WebhookQueue(database, "cli", 0);
}

function lineOf({ id, app, channel, target, event, attempts, createdAtMs, lastError }: StoredDelivery): string {
  const when = new Date(createdAtMs).toISOString();
  const words = [String(id), when, app, channel, target, `${attempts} attempts`, lastError ?? "", event];
  return words.map(printable).join("\t");
}
