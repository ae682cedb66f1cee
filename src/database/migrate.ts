/** Brings a database's tables up to date. Several nodes may try at once: one does it, the others wait and find it done. */

import { Migrator } from "kysely";
import { migrationsFor } from "./migrations.ts";
import type { Database } from "./open.ts";

const TRIES = 10;
const PAUSE_MS = 20;

export interface Migrated {
  /** The names of those that were run just now, oldest first. */
  readonly done: readonly string[];
}

/** Throws what the database says where one fails; those before it stay. */
export async function migrate(database: Database): Promise<Migrated> {
  for (let attempt = 1; ; attempt++) {
    const { error, results = [] } = await migratorOf(database.kind, database.query).migrateToLatest();
    if (!error) return { done: results.map(({ migrationName }) => migrationName) };
    // SQLite has no lock for it: whoever comes second fails over what the first has made, and then finds it done.
    if (database.kind !== "sqlite" || attempt === TRIES) throw asError(error);
    await Bun.sleep(PAUSE_MS * attempt);
  }
}

/** The names of those that a database still lacks. */
export async function lacking({ kind, query }: Database): Promise<readonly string[]> {
  const all = await migratorOf(kind, query).getMigrations();
  return all.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function migratorOf(kind: Database["kind"], db: Database["query"]): Migrator {
  return new Migrator({
    db,
    provider: { getMigrations: async () => migrationsFor(kind) },
    migrationTableName: "fanfare_migrations",
    migrationLockTableName: "fanfare_migrations_lock",
  });
}

/** Whether its tables are brought up to date without being asked: in a file of our own, unless a setting says otherwise. */
export function migratesByItself({ kind }: Database, wanted: boolean | undefined): boolean {
  return wanted ?? kind === "sqlite";
}
