/** Checks the tables in applications' databases from which publications are read: whether the server can read and change them. */

import type { Config } from "../../config/load.ts";
import { messageOf } from "../../domain/thrown.ts";
import { sourceSettings } from "../../outbox/outboxes.ts";
import { OutboxSource } from "../../outbox/source.ts";
import { plural } from "../output.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, problem } = findings("outbox");

const MOST_LISTED = 1_000;

export function checkOutboxes({ outbox }: Config): Promise<Finding[]> {
  return Promise.all(outbox.map((settings) => check(sourceSettings(settings))));
}

async function check(settings: ReturnType<typeof sourceSettings>): Promise<Finding> {
  const { name, table } = settings;
  const source = await OutboxSource.open(settings);
  try {
    await source.checkAccess();
    const failed = await source.failed(MOST_LISTED);
    if (failed.length === 0) return ok(`${name}: ${table} in ${source.place} can be read and changed`);
    return warning(
      `${name}: ${plural(failed.length, "row")} of ${table} cannot be published`,
      "`fanfare outbox failed` says why",
    );
  } catch (error) {
    const change = "`fanfare outbox migrate` makes the table; docs/outbox.md says what its role has to be allowed";
    return problem(`${name}: ${table} in ${source.place} cannot be used: ${messageOf(error)}`, change);
  } finally {
    await source.close();
  }
}
