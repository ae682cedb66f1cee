/** `fanfare migrate`: brings the tables of the database up to date. */

import type { Command } from "commander";
import { migrate } from "../../database/migrate.ts";
import { addDatabaseFlags, missingTables, withDatabase } from "../database.ts";
import { CliError } from "../errors.ts";

export function addMigrate(program: Command): void {
  const command = program.command("migrate").description("bring the tables of the database up to date");
  addDatabaseFlags(command)
    .addHelpText("after", "\nExample:\n  $ fanfare migrate --database-url postgres://fanfare@db.example/fanfare")
    .action(async () => {
      await withDatabase(
        command,
        async ({ database }) => {
          await missingTables(database);
          const { done } = await migrate(database).catch((error: unknown) => {
            throw new CliError(`cannot change ${database.name}: ${error instanceof Error ? error.message : error}`);
          });
          const what = done.length === 0 ? "is up to date already" : `is up to date now: ${done.join(", ")}`;
          console.log(`${database.name} ${what}`);
        },
        false,
      );
    });
}
