/** Work on a database that does not hold up messages: transactions that wait their turn for SQLite's one writer, and pauses between long questions. */

import type { Transaction } from "kysely";
import type { Database } from "./open.ts";
import type { Tables } from "./schema.ts";

/** Half a second or so: a process holds the file for some milliseconds, and a dozen may come at once. */
const MOST_ATTEMPTS = 20;
const PAUSE_MS = 20;

/** Everything that is done inside happens, or nothing; begun anew while another process writes to the same file. */
export async function transact<T>(
  query: Database["query"],
  act: (inside: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await query.transaction().execute(act);
    } catch (error) {
      if (!isBusy(error) || attempt === MOST_ATTEMPTS) throw error;
      await Bun.sleep(PAUSE_MS * (0.5 + Math.random()));
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY");
}

/** SQLite answers within the step of the program in which it is asked: between two long questions, messages have to pass. */
export function yieldToMessages(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
