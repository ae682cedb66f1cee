/** `fanfare statistics`: forgets what was counted long ago, or all of it. The server does the former by itself once a day. */

import type { Command } from "commander";
import { forgetAll, timeBefore } from "../../database/cleaning.ts";
import { StatisticsStore } from "../../observers/statistics/store.ts";
import { addDatabaseFlags, type OpenedDatabase, withDatabase } from "../database.ts";
import { CliError } from "../errors.ts";

export function addStatistics(program: Command): void {
  const group = program.command("statistics").description("forget statistics that are kept in the database");
  addClean(group);
  addFlush(group);
}

function addClean(group: Command): void {
  const command = group.command("clean").description("forget what is older than so many days");
  addDatabaseFlags(command)
    .option("--app <id>", "only of this app")
    .option("--days <number>", "how many days are kept (default: statistics.keepDays)")
    .addHelpText("after", "\nExample:\n  $ fanfare statistics clean --days 30")
    .action(async () => {
      const { app, days } = command.opts<{ app?: string; days?: string }>();
      if (days !== undefined && !/^\d{1,6}$/.test(days))
        throw new CliError("--days has to be a whole number from 0 up");
      const count = await withStore(command, (store, { config }) => {
        const nowMs = Date.now();
        const before = timeBefore(nowMs, days === undefined ? config.statistics.keepDays : Number(days));
        return forgetAll(store.forget(before, nowMs, app));
      });
      console.log(`${count} rows are forgotten`);
    });
}

function addFlush(group: Command): void {
  const command = group.command("flush").description("forget everything that was counted");
  addDatabaseFlags(command)
    .option("--app <id>", "only of this app")
    .addHelpText("after", "\nExample:\n  $ fanfare statistics flush --app shop")
    .action(async () => {
      const { app } = command.opts<{ app?: string }>();
      console.log(`${await withStore(command, (store) => store.flush(app))} rows are forgotten`);
    });
}

function withStore<T>(command: Command, act: (store: StatisticsStore, kept: OpenedDatabase) => Promise<T>): Promise<T> {
  return withDatabase(command, (kept) => act(new StatisticsStore(kept.database, "cli"), kept));
}
