/** What the storage of a server needs of the server around it. */

import type { Logger } from "pino";
import type { Config } from "../../config/schema/schema.ts";
import type { App } from "../../domain/app.ts";
import type { Awaitable, Clock } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import type { OutboxState } from "../../outbox/reader.ts";
import type { Implementations } from "../implementations.ts";

/** The server, running or not. */
export interface StorageHost {
  /** The app as it is now, as far as this process has it. */
  knownApp(id: string): App | undefined;
  /** The same; asks the program's provider where it has one. */
  findApp(id: string): Awaitable<App | undefined>;
  /** Undefined while the server is stopped. */
  readonly hub: Pick<Hub, "appStats" | "health" | "members" | "summary" | "nodes"> | undefined;
  readonly nodeState: { readonly lagMs: number; readonly draining: boolean; readonly port: number | undefined };
  readonly outboxes: readonly OutboxState[];
  /** The apps in the database have changed. */
  appsChanged(): void;
  failed(error: unknown, during: string): void;
}

export interface StorageOptions {
  readonly host: StorageHost;
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
  readonly given: Implementations;
  /** Whether this process reads the apps from the database: a worker is given them by the first process. */
  readonly keepsApps: boolean;
}
