/** All sources of a server, and their readers. Loaded only where there are any. */

import { Client } from "pg";
import { backoffMs } from "../domain/backoff.ts";
import { notificationName } from "./dialect.ts";
import { OutboxReader, type OutboxState, type ReaderOptions } from "./reader.ts";
import { OutboxSource, type SourceSettings } from "./source.ts";

export interface OutboxSettings extends Omit<SourceSettings, "name"> {
  /** Without it, the table's. */
  readonly name?: string;
  readonly app?: string;
  readonly pollMs: number;
  readonly batch: number;
}

export interface OutboxesOptions extends Omit<ReaderOptions, "source" | "app" | "pollMs" | "batch" | "counted"> {
  readonly settings: readonly OutboxSettings[];
  readonly counted: (source: string, what: "published" | "failed", count: number) => void;
}

/** A database that hangs does not keep the server from ending. */
const STOP_MS = 5_000;

export class Outboxes {
  readonly #sources: readonly OutboxSource[];
  readonly #readers: readonly OutboxReader[];
  readonly #notifications: readonly Notifications[];

  /** Connects to none of them yet. */
  static async open(options: OutboxesOptions): Promise<Outboxes> {
    const sources = await Promise.all(options.settings.map((each) => OutboxSource.open(sourceSettings(each))));
    return new Outboxes(options, sources);
  }

  private constructor({ settings, counted, ...shared }: OutboxesOptions, sources: readonly OutboxSource[]) {
    this.#sources = sources;
    const notifications: Notifications[] = [];
    this.#readers = sources.map((source, index) => {
      const { app, pollMs = 0, batch = 0, notify, url = "", table = "" } = settings[index] ?? {};
      const count: ReaderOptions["counted"] = (what, many) => counted(source.name, what, many);
      for (const what of ["published", "failed"] as const) count(what, 0);
      const reader = new OutboxReader({ ...shared, source, app, pollMs, batch, counted: count });
      if (notify) notifications.push(new Notifications(url, notificationName(table), reader.wake));
      return reader;
    });
    this.#notifications = notifications;
  }

  start(): void {
    for (const reader of this.#readers) reader.start();
    for (const each of this.#notifications) each.start();
  }

  get states(): readonly OutboxState[] {
    return this.#readers.map(({ state }) => state);
  }

  /** What is in hand is published and deleted, if that is possible soon. Never rejects. */
  async stop(): Promise<void> {
    const stopped = this.#stop().catch(() => {});
    await Promise.race([stopped, Bun.sleep(STOP_MS)]);
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.stop()));
    await Promise.all(this.#notifications.map((each) => each.close()));
    await Promise.all(this.#sources.map((source) => source.close()));
  }
}

export function sourceSettings({ name, url, table, notify }: OutboxSettings): SourceSettings {
  return { url, table, notify, name: name ?? table };
}

const CONNECT_MS = 5_000;
const AGAIN = { minMs: 500, maxMs: 30_000 };

/** PostgreSQL's notifications of inserts, on a connection of their own. Rows are found without them, too, only later. */
class Notifications {
  readonly #url: string;
  readonly #name: string;
  readonly #wake: () => void;
  #client: Client | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(url: string, name: string, wake: () => void) {
    this.#url = url;
    this.#name = name;
    this.#wake = wake;
  }

  /** Connects, and again whenever the connection is lost. */
  start(): void {
    const client = new Client({
      connectionString: this.#url,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      application_name: "fanfare",
    });
    this.#client = client;
    let isOver = false;
    const again = () => {
      if (isOver) return;
      isOver = true;
      client.end().catch(() => {});
      if (!this.#isClosed)
        this.#timer = setTimeout(() => this.start(), backoffMs(this.#failures++, AGAIN, Math.random()));
    };
    client.on("error", again);
    client.on("end", again);
    client.on("notification", this.#wake);
    client
      .connect()
      .then(() => client.query(`listen ${client.escapeIdentifier(this.#name)}`))
      .then(() => {
        this.#failures = 0;
        // What was inserted before.
        this.#wake();
      })
      .catch(again);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#client?.end().catch(() => {});
  }
}
