/** Brings a database's tables up to date. Several nodes may try at once: one does it, the others wait and find it done. */

import { Migrator, sql } from "kysely";
import { migrationsFor } from "./migrations.ts";
import type { Database } from "./open.ts";

const MIGRATIONS = "fanfare_migrations";
const TRIES = 10;
const PAUSE_MS = 20;

export interface Migrated {
  /** The names of those that were run just now, oldest first. */
  readonly done: readonly string[];
}

/** It has tables that this version does not know. */
export class NewerDatabaseError extends Error {
  override readonly name = "NewerDatabaseError";
}

/** Throws what the database says where one fails; those before it stay. Throws NewerDatabaseError, and then touches nothing. */
export async function migrate(database: Database): Promise<Migrated> {
  await checkAge(database);
  for (let attempt = 1; ; attempt++) {
    const { error, results = [] } = await migratorOf(database.kind, database.query).migrateToLatest();
    if (!error) return { done: results.map(({ migrationName }) => migrationName) };
    // SQLite has no lock for it: whoever comes second fails over what the first has made, and then finds it done.
    if (database.kind !== "sqlite" || attempt === TRIES) throw asError(error);
    await Bun.sleep(PAUSE_MS * attempt);
  }
}

/** The names of those that a database still lacks. */
export async function pendingMigrations(database: Database): Promise<readonly string[]> {
  await checkAge(database);
  const { kind, query } = database;
  const all = await migratorOf(kind, query).getMigrations();
  return all.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name);
}

async function checkAge({ kind, name, query }: Database): Promise<void> {
  const tables = await query.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === MIGRATIONS)) return;
  const known = migrationsFor(kind);
  const rows = await sql<{ readonly name: string }>`select name from ${sql.table(MIGRATIONS)}`.execute(query);
  const [unknown] = rows.rows.filter((row) => known[row.name] === undefined);
  if (!unknown) return;
  throw new NewerDatabaseError(
    `${name} was made by a newer version (${unknown.name}): run that version, or restore the copy that was made before the upgrade`,
  );
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function migratorOf(kind: Database["kind"], db: Database["query"]): Migrator {
  return new Migrator({
    db,
    provider: { getMigrations: async () => migrationsFor(kind) },
    migrationTableName: MIGRATIONS,
    migrationLockTableName: "fanfare_migrations_lock",
  });
}

/** Whether its tables are brought up to date without being asked: in a file of our own, unless a setting says otherwise. */
export function migratesAutomatically({ kind }: Database, wanted: boolean | undefined): boolean {
  return wanted ?? kind === "sqlite";
}
