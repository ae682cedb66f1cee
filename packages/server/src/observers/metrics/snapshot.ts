/** The numbers of the moment at which the metrics are read, what the apps did in total until then, and the text that Prometheus gets. */

import type { AppStatistics } from "../../domain/app-statistics.ts";
import type { EngineHealth } from "../../domain/ports.ts";
import type { AppStats } from "../../hub/tenants.ts";

/** What one app did since it was first used. */
export type AppTotals = Pick<AppStatistics, "messagesIn" | "messagesOut" | "bytesIn" | "bytesOut">;

/** The same with what it has now. */
export interface AppSnapshot extends AppTotals, Omit<AppStats, "app"> {
  readonly id: string;
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

/** Apps with a label of their own; those that come later share one. */
const MOST_APPS = 1_000;

/** Keeps the number of different labels bounded: each is a time series, and clients must not be able to make them. */
export class Labels {
  readonly #apps = new Set<string>();

  app(id: string): string {
    if (this.#apps.has(id)) return id;
    if (this.#apps.size >= MOST_APPS) return "others";
    this.#apps.add(id);
    return id;
  }
}

/** By label. A total never falls, though apps that nobody uses any more are forgotten elsewhere. */
export class Totals {
  readonly #labels: Labels;
  /** Of apps that are forgotten. */
  readonly #past = new Map<string, AppTotals>();

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  /** The app is forgotten, and counts from nought when somebody uses it again. */
  keep(app: string, totals: AppTotals): void {
    const label = this.#labels.app(app);
    this.#past.set(label, sum(this.#past.get(label), totals));
  }

  /** By label, with those of apps that are forgotten. */
  of(apps: readonly AppSnapshot[]): ReadonlyMap<string, AppTotals> {
    const all = new Map(this.#past);
    for (const app of apps) {
      const label = this.#labels.app(app.id);
      all.set(label, sum(all.get(label), app));
    }
    return all;
  }
}

function sum(one: AppTotals | undefined, other: AppTotals): AppTotals {
  return {
    messagesIn: (one?.messagesIn ?? 0) + other.messagesIn,
    messagesOut: (one?.messagesOut ?? 0) + other.messagesOut,
    bytesIn: (one?.bytesIn ?? 0) + other.bytesIn,
    bytesOut: (one?.bytesOut ?? 0) + other.bytesOut,
  };
}
