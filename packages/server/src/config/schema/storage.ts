/** What is kept and published about the running server: the database, statistics, the audit log, webhooks and metrics. */

import { join } from "node:path";
import { boolean, DATABASE_URL, integer, ipRanges, optional, seconds, section, text, withDefault } from "./fields.ts";

export const database = section("Where things are kept that outlive the process.", {
  url: text(
    "Where apps, statistics and webhooks are kept: `sqlite:FILE`, `postgres://…` or `mysql://…`. Without it, `fanfare serve` uses `fanfare.db` in `stateDir`, and a program keeps nothing.",
    DATABASE_URL,
  ).apply(optional),
  migrate: boolean(
    "The tables are brought up to date at the start. Without it, only in a file of our own: otherwise `fanfare migrate` does it.",
  ).apply(optional),
});

/** The database of a server started by `fanfare serve` without one, and of the commands that read what it keeps. */
export function defaultDatabaseUrl(stateDir: string): string {
  return `sqlite:${join(stateDir, "fanfare.db")}`;
}

export const statistics = section("What each app did, by the interval, the hour and the day.", {
  enabled: boolean("Statistics are kept, where there is a database.").apply(withDefault, true),
  intervalS: seconds("How often the numbers are stored, in seconds.", 1).apply(withDefault, 60),
  keepDays: integer("Age at which they are deleted, in days.").apply(withDefault, 90),
});

export const audit = section("Who did what through the dashboard, where there is a database.", {
  keepDays: integer("Age at which entries are deleted, in days.").apply(withDefault, 365),
});

export const webhooks = section("How webhooks are sent.", {
  timeoutS: seconds("Time a receiver has to answer, in seconds.", 0.1).apply(withDefault, 10),
  retryForS: seconds(
    "Time over which an event is tried again, at growing intervals, before it counts as a failed delivery, in seconds.",
  ).apply(withDefault, 300),
  keepDays: integer("Age at which failed deliveries are deleted, in days.").apply(withDefault, 30),
  leaveDelayS: seconds(
    "Time that channel_vacated and member_removed are held back, and dropped if undone, in seconds.",
    0,
  ).apply(withDefault, 3),
  allowPrivate: boolean("Receivers may have private addresses, and be on this machine.").apply(withDefault, false),
});

export const metrics = section("The server's numbers for Prometheus.", {
  enabled: boolean("`/metrics` answers.").apply(withDefault, true),
  allowIps: ipRanges(
    "Addresses that may read them without the token. Behind a proxy that is not in `trustedProxies` none may.",
  ).apply(withDefault, ["loopback", "private"]),
  token: text("Lets anyone read them who sends it as `Authorization: Bearer`.", { secret: true }).apply(optional),
  soketiNames: boolean("The numbers have soketi's names as well, for dashboards that were made for it.").apply(
    withDefault,
    false,
  ),
});
