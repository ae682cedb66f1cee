/** `fanfare migrate`: brings the tables of the database up to date. */

import { migrate } from "../../database/migrate.ts";
import { messageOf } from "../../domain/thrown.ts";
import { missingTables, withDatabase } from "../database.ts";
import { CliError } from "../errors.ts";

export function migrateDatabase(options: object): Promise<string> {
  return withDatabase(options, async ({ database }) => {
    await missingTables(database);
    const { done } = await migrate(database).catch((error: unknown) => {
      throw new CliError(`cannot change ${database.name}: ${messageOf(error)}`);
    });
    return `${database.name} ${done.length === 0 ? "is up to date already" : `is up to date now: ${done.join(", ")}`}`;
  });
}
