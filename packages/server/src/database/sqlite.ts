/** SQLite through Bun's own driver, in the shape that Kysely asks of one. */

import { Database, type SQLQueryBindings } from "bun:sqlite";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type SqliteDatabase, SqliteDialect } from "kysely";
import { explainFileError } from "./file-error.ts";

/**
 * `busyMs`: how long a writer waits for another process that holds the file. Nothing else runs in the meantime. A foreign file
 * is an application's, and stays as it is.
 */
export function openSqlite(file: string, busyMs: number, isForeign = false) {
  let opened: Database | undefined;
  const database = async () =>
    told(file, () => {
      opened = isForeign ? openForeign(file, busyMs) : open(file, busyMs);
      return adapt(file, opened);
    });
  return { dialect: new SqliteDialect({ database }), revision: () => opened && revisionOf(opened) };
}

/** Without reading a table: what others have committed to the file, and what this connection has changed. */
function revisionOf(database: Database): string | undefined {
  try {
    return JSON.stringify(database.query(REVISION).get());
  } catch {
    return undefined;
  }
}

const REVISION = "SELECT data_version AS others, total_changes() AS own FROM pragma_data_version";

function open(file: string, busyMs: number): Database {
  if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new Database(file, { create: true, strict: true });
  // It holds the apps' secrets. What SQLite keeps beside it gets the same rights.
  if (file !== ":memory:") chmodSync(file, 0o600);
  database.run(`PRAGMA busy_timeout = ${busyMs}`);
  // Readers do not wait for the writer, and a crash loses no more than what was not yet committed.
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = NORMAL");
  database.run("PRAGMA foreign_keys = ON");
  return database;
}

/** What is deleted there has to stay deleted after a power failure, too. */
function openForeign(file: string, busyMs: number): Database {
  if (!existsSync(file)) throw new Error(`the database's file ${file} is not there: the application makes it`);
  const database = new Database(file, { readwrite: true, create: false, strict: true });
  database.run(`PRAGMA busy_timeout = ${busyMs}`);
  database.run("PRAGMA synchronous = FULL");
  return database;
}

function adapt(file: string, database: Database): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare: (sql) => {
      // One that read before it writes would fail at once where another has written meanwhile, without waiting its turn.
      const statement = told(file, () => database.query(sql === "begin" ? "begin immediate" : sql));
      return {
        reader: statement.columnNames.length > 0,
        all: (parameters) => told(file, () => statement.all(...bound(parameters))),
        run: (parameters) => {
          // A write that fails for want of room is undone by SQLite itself; a rollback that fails would hide why.
          if (sql === "rollback" && !database.inTransaction) return { changes: 0, lastInsertRowid: 0 };
          return told(file, () => statement.run(...bound(parameters)));
        },
        iterate: (parameters) => statement.iterate(...bound(parameters)) as IterableIterator<unknown>,
      };
    },
  };
}

function told<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw explainFileError(file, error);
  }
}

function bound(parameters: readonly unknown[]): SQLQueryBindings[] {
  return parameters as SQLQueryBindings[];
}
