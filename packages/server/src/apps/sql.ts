/**
 * The apps that are kept in a database: looked up in a picture of the table that is never older than the last poll, so a
 * handshake waits for no query and a database that is down keeps nobody out.
 */

import { randomBytes } from "node:crypto";
import type { Updateable } from "kysely";
import { type AppInput, ConfigError, parseApp } from "../config/load.ts";
import type { AppDefaults } from "../config/schema/schema.ts";
import type { Database } from "../database/open.ts";
import type { AppTable } from "../database/schema.ts";
import type { App } from "../domain/app.ts";
import type { AppStore, Clock } from "../domain/ports.ts";

export interface SqlAppsOptions {
  readonly database: Database;
  readonly defaults: AppDefaults;
  readonly clock: Clock;
  /** How long an edit made elsewhere may take to be seen, in milliseconds. */
  readonly pollMs?: number;
  /** The picture is another: all the apps, and which ids are not what they were. */
  readonly changed?: (apps: readonly App[], ids: readonly string[]) => void;
  readonly failed: (error: unknown, during: string) => void;
}

/** What may be said of an app beside its id and its key. */
export type AppChanges = Partial<Omit<AppInput, "id" | "key" | "secret" | "secrets">>;

/** An edit that cannot be made: there is no such app, or there is one already. */
export class AppError extends Error {
  override readonly name = "AppError";
}

interface Picture {
  readonly revision: string;
  readonly byId: ReadonlyMap<string, App>;
  readonly byKey: ReadonlyMap<string, App>;
  /** What each app was made from. */
  readonly rows: ReadonlyMap<string, string>;
}

const POLL_MS = 500;
const EMPTY: Picture = { revision: "", byId: new Map(), byKey: new Map(), rows: new Map() };

export class SqlApps implements AppStore {
  readonly #options: SqlAppsOptions;
  readonly #db: Database["query"];
  #picture = EMPTY;
  /** The database's when the picture was made. */
  #revision: string | undefined;
  #polling: ReturnType<typeof setInterval> | undefined;
  #looking: Promise<void> | undefined;
  #isAway = false;

  constructor(options: SqlAppsOptions) {
    this.#options = options;
    this.#db = options.database.query;
  }

  /** Reads the table and goes on watching it. Throws what the database says where it cannot be read. */
  async start(): Promise<void> {
    await this.#look();
    this.#polling = setInterval(() => void this.refresh(), this.#options.pollMs ?? POLL_MS);
    this.#polling.unref?.();
  }

  /** Looks whether somebody edited the table. Never throws: a database that is away is reported once, and asked again. */
  refresh(): Promise<void> {
    const revision = this.#options.database.revision();
    if (revision !== undefined && revision === this.#revision) return Promise.resolve();
    this.#looking ??= this.#look()
      .then(
        () => {
          this.#isAway = false;
        },
        (error) => {
          if (!this.#isAway) this.#options.failed(error, "reading the apps from the database");
          this.#isAway = true;
        },
      )
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async close(): Promise<void> {
    clearInterval(this.#polling);
    await this.#looking;
  }

  byKey(key: string): App | undefined {
    return this.#picture.byKey.get(key);
  }

  byId(id: string): App | undefined {
    return this.#picture.byId.get(id);
  }

  list(): readonly App[] {
    return [...this.#picture.byId.values()];
  }

  // ---- editing

  /** Makes an app; id, key and secret are made where they are not given. Throws AppError, or ConfigError as for a file. */
  async add(input: Partial<AppInput> = {}): Promise<App> {
    const { id = newId(), key = newKey(), secret, secrets, name = id, enabled = true, ...settings } = input;
    const kept = secrets ?? [secret ?? newSecret()];
    const app = this.#parse({ ...settings, id, key, secrets: kept, name, enabled });
    const now = this.#options.clock.wallMs();
    const row = {
      ...{ id, key, name, secrets: JSON.stringify(kept), enabled: enabled ? 1 : 0 },
      ...{ settings: JSON.stringify(settings), created_at: now, updated_at: now },
    };
    const taken = await this.#db
      .selectFrom("fanfare_apps")
      .select("id")
      .where((where) => where.or([where("id", "=", id), where("key", "=", key)]))
      .executeTakeFirst();
    if (taken) throw new AppError(`There is an app ${JSON.stringify(taken.id)} with this id or key already.`);
    await this.#db.insertInto("fanfare_apps").values(row).execute();
    await this.#look();
    return app;
  }

  /** Changes what is named; a setting that is `null` takes its default again. Throws AppError, or ConfigError. */
  async edit(id: string, changes: { readonly [Name in keyof AppChanges]: AppChanges[Name] | null }): Promise<App> {
    return this.#update(id, (row) => {
      const before: Record<string, unknown> = { ...inputOf(row), ...changes };
      const settings = Object.fromEntries(Object.entries(before).filter(([, value]) => value !== null));
      const { id: _, key, secrets, name = id, enabled = true, ...rest } = settings;
      const app = this.#parse({ ...rest, id, key, secrets, name, enabled });
      return [app, { name: app.name, enabled: app.enabled ? 1 : 0, settings: JSON.stringify(rest) }];
    });
  }

  /**
   * Puts a new secret before the others, which go on counting until `forget` leaves only the newest. Resolves with the
   * newest. Throws AppError.
   */
  async rotate(id: string, forget = false): Promise<string> {
    return this.#update(id, (row) => {
      const known = secretsOf(row);
      const [newest = newSecret()] = known;
      const secrets = forget ? [newest] : [newSecret(), ...known];
      return [secrets[0] ?? newest, { secrets: JSON.stringify(secrets) }];
    });
  }

  /** Throws AppError. */
  async remove(id: string): Promise<void> {
    const { numDeletedRows } = await this.#db.deleteFrom("fanfare_apps").where("id", "=", id).executeTakeFirst();
    if (Number(numDeletedRows) === 0) throw noSuchApp(id);
    await this.#look();
  }

  // ---- private

  /** Makes the change to what is there then: where somebody else was faster, it is made to what they left. */
  async #update<T>(
    id: string,
    change: (row: AppRow) => readonly [answer: T, edited: Updateable<AppTable>],
  ): Promise<T> {
    for (;;) {
      const row = await this.#db.selectFrom("fanfare_apps").selectAll().where("id", "=", id).executeTakeFirst();
      if (!row) throw noSuchApp(id);
      const before = Number(row.updated_at);
      const [answer, edited] = change(row);
      const { numUpdatedRows } = await this.#db
        .updateTable("fanfare_apps")
        // Never the same twice, however fast one edit follows another: it is how the others see that something changed.
        .set({ ...edited, updated_at: Math.max(this.#options.clock.wallMs(), before + 1) })
        .where("id", "=", id)
        .where("updated_at", "=", before)
        .executeTakeFirst();
      if (Number(numUpdatedRows) === 0) continue;
      await this.#look();
      return answer;
    }
  }

  async #look(): Promise<void> {
    const written = this.#options.database.revision();
    const { count, latest, sum } = await this.#db
      .selectFrom("fanfare_apps")
      .select(({ fn }) => [
        fn.countAll().as("count"),
        fn.max("updated_at").as("latest"),
        fn.sum("updated_at").as("sum"),
      ])
      .executeTakeFirstOrThrow();
    const revision = `${count} ${latest} ${sum}`;
    if (revision !== this.#picture.revision) await this.#read(revision);
    this.#revision = written;
  }

  async #read(revision: string): Promise<void> {
    const rows = await this.#db.selectFrom("fanfare_apps").selectAll().orderBy("created_at").orderBy("id").execute();
    const before = this.#picture;
    const texts = new Map(rows.map((row) => [row.id, JSON.stringify(row)]));
    const changed = [...new Set([...before.rows.keys(), ...texts.keys()])].filter(
      (id) => before.rows.get(id) !== texts.get(id),
    );
    const apps = rows.flatMap((row) =>
      changed.includes(row.id) ? this.#parseRow(row) : (before.byId.get(row.id) ?? []),
    );
    this.#picture = {
      revision,
      byId: new Map(apps.map((app) => [app.id, app])),
      byKey: new Map(apps.map((app) => [app.key, app])),
      rows: texts,
    };
    if (changed.length > 0) this.#options.changed?.(apps, changed);
  }

  /** A row that somebody spoilt is left out, and keeps no other app from working. */
  #parseRow(row: AppRow): App[] {
    try {
      return [this.#parse(inputOf(row))];
    } catch (error) {
      this.#options.failed(error, `reading the app ${JSON.stringify(row.id)} from the database`);
      return [];
    }
  }

  #parse(input: unknown): App {
    return parseApp(input, this.#options.defaults);
  }
}

type AppRow = { readonly [Column in keyof AppTable]: Column extends NumberColumn ? number | string | bigint : string };
type NumberColumn = "enabled" | "created_at" | "updated_at";

function inputOf(row: AppRow): Record<string, unknown> {
  const { id, key, name, enabled } = row;
  return { ...objectIn(row), id, key, name, secrets: secretsOf(row), enabled: Number(enabled) === 1 };
}

function objectIn({ id, settings }: AppRow): Record<string, unknown> {
  const value = parsed(id, settings);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw spoilt(id, "settings");
  return { ...value };
}

function secretsOf({ id, secrets }: AppRow): string[] {
  const value = parsed(id, secrets);
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) throw spoilt(id, "secrets");
  return value;
}

function parsed(id: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw spoilt(id, "settings or secrets");
  }
}

function spoilt(id: string, what: string): ConfigError {
  return new ConfigError([`the ${what} of the app ${JSON.stringify(id)} in the database cannot be read`]);
}

function noSuchApp(id: string): AppError {
  return new AppError(`There is no app ${JSON.stringify(id)} in the database.`);
}

/** As Pusher's look: digits for the id, hexadecimal for key and secret. */
function newId(): string {
  return String(randomBytes(4).readUInt32BE() % 1_000_000_000);
}

function newKey(): string {
  return randomBytes(10).toString("hex");
}

function newSecret(): string {
  return randomBytes(20).toString("hex");
}
