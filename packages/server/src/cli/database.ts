/** For commands that work on the database of a server with these settings, whether it runs or not. */

import type { Config } from "../config/load.ts";
import { defaultDatabaseUrl } from "../config/schema/storage.ts";
import { migrate, migratesAutomatically, NewerDatabaseError, pendingMigrations } from "../database/migrate.ts";
import { type Database, openDatabase } from "../database/open.ts";
import { messageOf } from "../domain/thrown.ts";
import { loadHere, readConfigFlags } from "./config-flags.ts";
import { CliError } from "./errors.ts";

/** A person waits for the answer: a file that another process writes to is waited for. */
export const BUSY_MS = 10_000;

export interface OpenedDatabase {
  readonly config: Config;
  readonly database: Database;
}

/** Runs `act` with the database as it is. Throws CliError where it cannot be used. */
export async function withDatabase<T>(options: object, act: (opened: OpenedDatabase) => Promise<T>): Promise<T> {
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

export async function missingTables(database: Database): Promise<readonly string[]> {
  try {
    return await pendingMigrations(database);
  } catch (error) {
    if (error instanceof NewerDatabaseError) throw new CliError(error.message);
    throw new CliError(`cannot reach ${database.name}: ${messageOf(error)}`);
  }
}
