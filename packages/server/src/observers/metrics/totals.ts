/** What the apps did in total, by label. A total never falls, though apps that nobody uses any more are forgotten elsewhere. */

import type { AppSnapshot, AppTotals } from "./snapshot.ts";

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
