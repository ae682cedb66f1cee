/** `fanfare statistics`: deletes what was counted long ago, or all of it. The server does the former by itself once a day. */

import { forgetAll, timeBefore } from "../../database/retention.ts";
import { StatisticsStore } from "../../observers/statistics/store.ts";
import { type OpenedDatabase, withTables } from "../database.ts";
import { CliError } from "../errors.ts";

interface StatisticsOptions {
  readonly app?: string;
  readonly days?: string;
}

export async function cleanStatistics(options: StatisticsOptions): Promise<string> {
  const { app, days } = options;
  if (days !== undefined && !/^\d{1,6}$/.test(days)) throw new CliError("--days has to be a whole number from 0 up");
  const count = await withTables(options, (opened) => {
    const nowMs = Date.now();
    const before = timeBefore(nowMs, days === undefined ? opened.config.statistics.keepDays : Number(days));
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
