/** PostgreSQL's notifications of inserts, on a connection of their own. Rows are found without them, too, only later. */

import { Client } from "pg";
import { backoffMs } from "../domain/backoff.ts";

const CONNECT_MS = 5_000;
const AGAIN = { minMs: 500, maxMs: 30_000 };

export class Notifications {
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
