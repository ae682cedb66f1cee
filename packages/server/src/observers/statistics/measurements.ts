/** What is stored beside the sums of each app, to see what they are made of: by transport, reason, outcome and node. */

import type { Measured } from "../../domain/app-statistics.ts";
import { ignoringPublications, type Observer } from "../../domain/ports.ts";
import type { AppStats } from "../../hub/tenants.ts";
import { type Durations, DurationsSince } from "../metrics/counts.ts";
import { RefusalCounts } from "../metrics/refusals.ts";

/** What becomes of several values in one span of time: the last stands, they are added up, or the highest stands. */
export const MEASURES = {
  /** Label: protocol and transport, and `tls` where they are over it. */
  connections: "last",
  /** Label: the code. */
  refused: "sum",
  /** Subscriptions that came back for what they missed. Label: whether they got it. */
  resumed: "sum",
  /** Label: what became of them. */
  webhooks: "sum",
  /** Label: the class of the delivery timer. Of the node. */
  latency: "sum",
  /** In milliseconds. Label: the node's name. Written in every interval, however idle the node. */
  lag: "peak",
  /** In bytes. Label: the node's name. */
  memory: "peak",
} as const satisfies Readonly<Record<Measure, "last" | "sum" | "peak">>;

export type Measure = Measured["measure"];

/** In place of an app's id, for what is of the whole node. */
export const OF_NODE = "";

export interface MeasurementsOptions {
  readonly nodeName: string;
  readonly appStats: () => readonly Pick<AppStats, "app" | "transports">[];
  readonly memoryBytes: () => number;
  /** How long events took to reach readers, since the start. */
  readonly deliveries: Pick<Durations, "counts" | "count">;
}

export class Measurements {
  readonly #options: MeasurementsOptions;
  readonly #refusals = new RefusalCounts();
  /** By app, measure and label: what came since the last time. */
  #counts = new Map<string, Map<string, Measured>>();
  /** What was there the last time, and ends with a zero. */
  #before = new Map<string, readonly Measured[]>();
  readonly #timed: DurationsSince;
  #peakLagMs = 0;

  constructor(options: MeasurementsOptions) {
    this.#options = options;
    this.#timed = new DurationsSince(options.deliveries);
  }

  readonly observe: Observer = ignoringPublications((event) => {
    if (event.type !== "resumed") return this.#refusals.observe(event);
    this.#add(event.connection.app.id, "resumed", event.recovered ? "recovered" : "lost", 1);
  });

  webhookOutcome(app: string, outcome: string, count: number): void {
    this.#add(app, "webhooks", outcome, count);
  }

  /** To be called once a second. */
  tick(lagMs: number): void {
    this.#peakLagMs = Math.max(this.#peakLagMs, lagMs);
  }

  take(): Map<string, readonly Measured[]> {
    for (const [app, codes] of this.#refusals.take()) {
      for (const [code, count] of Object.entries(codes)) this.#add(app ?? OF_NODE, "refused", code, count);
    }
    for (const [label, count] of this.#timed.take().entries()) this.#add(OF_NODE, "latency", String(label), count);
    const counts = this.#counts;
    this.#counts = new Map();
    const taken = new Map(Array.from(counts, ([app, its]) => [app, [...its.values()]]));
    const present = this.#present();
    for (const [app, all] of present) taken.set(app, [...(taken.get(app) ?? []), ...all]);
    return taken;
  }

  /** What could not be written down goes with the next; of what is there now, the next is newer. */
  giveBack(taken: ReadonlyMap<string, readonly Measured[]>): void {
    for (const [app, all] of taken) {
      for (const { measure, label, value } of all) {
        if (MEASURES[measure] === "sum") this.#add(app, measure, label, value);
      }
    }
  }

  /** The node's own always, so that a span without it is one in which nobody counted. */
  #present(): ReadonlyMap<string, readonly Measured[]> {
    const { nodeName: label, appStats, memoryBytes } = this.#options;
    const now = new Map<string, readonly Measured[]>();
    for (const { app, transports } of appStats()) {
      const all = transports.flatMap(({ protocol, transport, connections, encrypted }) => {
        const label = `${protocol} ${transport}`;
        return [
          { measure: "connections", label, value: connections - encrypted } as const,
          { measure: "connections", label: `${label} tls`, value: encrypted } as const,
        ].filter(({ value }) => value > 0);
      });
      if (all.length > 0) now.set(app, all);
    }
    const present = new Map(now);
    for (const [app, all] of this.#before) {
      const gone = all.filter((one) => !now.get(app)?.some((its) => its.label === one.label));
      if (gone.length > 0) present.set(app, [...(now.get(app) ?? []), ...gone.map((one) => ({ ...one, value: 0 }))]);
    }
    this.#before = now;
    const lag = { measure: "lag", label, value: this.#peakLagMs } as const;
    this.#peakLagMs = 0;
    return present.set(OF_NODE, [lag, { measure: "memory", label, value: memoryBytes() }]);
  }

  #add(app: string, measure: Measure, label: string, count: number): void {
    if (count === 0) return;
    const its = this.#counts.get(app) ?? new Map<string, Measured>();
    const key = `${measure} ${label}`;
    its.set(key, { measure, label, value: (its.get(key)?.value ?? 0) + count });
    this.#counts.set(app, its);
  }
}
