/** Gets a database ready: its tables are brought up to date, and one that is away is tried again until it is there. */

import { ConfigError } from "../../config/config-error.ts";
import { migrate, migratesAutomatically, NewerDatabaseError, pendingMigrations } from "../../database/migrate.ts";
import type { Database } from "../../database/open.ts";
import { backoffMs } from "../../domain/backoff.ts";
import type { StorageOptions } from "./storage-options.ts";

const RETRY_BACKOFF = { minMs: 1_000, maxMs: 30_000 };

export class DatabaseStartup {
  readonly #options: Pick<StorageOptions, "config" | "log" | "host">;
  readonly #database: Database;
  /** What begins when the tables are there. */
  readonly #ready: () => Promise<void>;
  #retrying: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(
    options: Pick<StorageOptions, "config" | "log" | "host">,
    database: Database,
    ready: () => Promise<void>,
  ) {
    this.#options = options;
    this.#database = database;
    this.#ready = ready;
  }

  /** Resolves when the database is ready, or is away: then the server goes on with the apps of its configuration. Throws ConfigError where waiting is no help. */
  async start(): Promise<void> {
    try {
      await this.#prepare();
    } catch (error) {
      if (error instanceof ConfigError || error instanceof NewerDatabaseError) {
        await this.#database.close();
        throw new ConfigError([error.message]);
      }
      this.#retry(error, 0);
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retrying);
  }

  async #prepare(): Promise<void> {
    const { config, log } = this.#options;
    const { name } = this.#database;
    if (migratesAutomatically(this.#database, config.database.migrate)) {
      const { done } = await migrate(this.#database);
      if (done.length > 0) log.debug({ database: name, done }, "the database's tables are up to date");
    } else {
      const missing = await pendingMigrations(this.#database);
      if (missing.length > 0) throw new ConfigError([`${name} lacks tables: run \`fanfare migrate\` first`]);
    }
    await this.#ready();
  }

  #retry(error: unknown, failures: number): void {
    const { log, host } = this.#options;
    const { name } = this.#database;
    host.failed(error, `reaching the database ${name}`);
    this.#retrying = setTimeout(
      async () => {
        try {
          await this.#prepare();
          log.info({ database: name }, "the database is there");
          host.appsChanged();
        } catch (again) {
          if (!this.#isStopped) this.#retry(again, failures + 1);
        }
      },
      backoffMs(failures, RETRY_BACKOFF),
    );
    this.#retrying.unref?.();
  }
}
