/** What commands share that look into what the server keeps: which database, and its tables as they have to be. */

import type { Command } from "commander";
import { defaultDatabaseUrl } from "../config/default-database.ts";
import { type Config, loadConfig } from "../config/load.ts";
import { lacking, migrate, migratesByItself, NewerDatabaseError } from "../database/migrate.ts";
import { type Database, openDatabase } from "../database/open.ts";
import { addConfigFlags, readConfigFlags } from "./config-flags.ts";
import { CliError } from "./errors.ts";

/** A person waits at the other end: a file that somebody else writes to is waited for. */
const BUSY_MS = 10_000;

export interface OpenedDatabase {
  readonly config: Config;
  readonly database: Database;
}

/** Adds what says where the database is. */
export function addDatabaseFlags(command: Command): Command {
  return addConfigFlags(command, ["database.url", "stateDir"]);
}

/** Runs `act` with the database that a server with these settings has. Throws CliError where it cannot be used. */
export async function withDatabase<T>(
  command: Command,
  act: (kept: OpenedDatabase) => Promise<T>,
  isReady = true,
): Promise<T> {
  const { config } = await loadConfig({ ...readConfigFlags(command), env: process.env, cwd: process.cwd() });
  const database = await openDatabase(config.database.url ?? defaultDatabaseUrl(config.stateDir), { busyMs: BUSY_MS });
  try {
    if (isReady && (await missingTables(database)).length > 0) {
      if (!migratesByItself(database, config.database.migrate)) {
        throw new CliError(`${database.name} has not all the tables it should have: run \`fanfare migrate\` first`);
      }
      // As the server would at its start.
      await migrate(database);
    }
    return await act({ config, database });
  } finally {
    await database.close();
  }
}

export async function missingTables(database: Database): Promise<readonly string[]> {
  try {
    return await lacking(database);
  } catch (error) {
    if (error instanceof NewerDatabaseError) throw new CliError(error.message);
    throw new CliError(`cannot reach ${database.name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
