/** `fanfare statistics`: deletes what was counted long ago, or all of it. The server does the former by itself once a day. */

import { forgetAll, timeBefore } from "../../database/retention.ts";
import { StatisticsStore } from "../../observers/statistics/store.ts";
import { type OpenedDatabase, withTables } from "../database.ts";
import { wholeNumber } from "../numbers.ts";

interface StatisticsOptions {
  readonly app?: string;
  readonly days?: string;
}

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
