/** The numbers of the moment at which the metrics are read, and the text that Prometheus gets. */

import type { EngineHealth } from "../../domain/ports.ts";

/** What one app did since it was first used. */
export interface AppTotals {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The same with what it has now. */
export interface AppSnapshot extends AppTotals {
  readonly id: string;
  readonly connections: number;
  readonly subscriptions: number;
  readonly channels: Readonly<Record<"public" | "private" | "presence", number>>;
  readonly transports: readonly TransportSnapshot[];
}

/** Connections that speak the same protocol over the same transport. */
export interface TransportSnapshot {
  readonly protocol: string;
  readonly transport: string;
  readonly connections: number;
}

/** What stands at the moment of asking. */
export interface Snapshot {
  readonly apps: readonly AppSnapshot[];
  readonly engine: EngineHealth;
  readonly lagMs: number;
  readonly draining: boolean;
  /** Where clients come to; undefined before they can. */
  readonly port: number | undefined;
  /** Where there is a queue of webhooks: what waits in it, what is dead, and how long the oldest has been waiting. */
  readonly webhooks?: { readonly waiting: number; readonly failed: number; readonly oldestS: number };
  readonly outboxes: readonly OutboxSnapshot[];
}

/** A table of an application's from which publications are read. */
export interface OutboxSnapshot {
  readonly source: string;
  readonly isReading: boolean;
  readonly isUp: boolean | undefined;
  readonly oldestS: number | undefined;
}

/** As Prometheus reads it. */
export interface Scraped {
  readonly type: string;
  readonly text: string;
}
