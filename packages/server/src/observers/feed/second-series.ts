/** The numbers of the last five minutes, second by second, of each app that is used and of all together. */

import { addPoints, type Point } from "../../admin/api-types.ts";
import { isReserved } from "../../domain/app.ts";
import { type AppStatistics, noStatistics, statisticsOf } from "../../domain/app-statistics.ts";
import type { Clock } from "../../domain/ports.ts";
import { type Durations, DurationsSince } from "../metrics/counts.ts";
import type { RefusalCounts } from "../metrics/refusals.ts";

export interface SecondSeriesOptions {
  /** Of each app, everything since it was first used. */
  readonly totals: () => ReadonlyMap<string, Readonly<AppStatistics>>;
  /** How long events took to reach readers, since the start. */
  readonly deliveries: Pick<Durations, "counts" | "count">;
  readonly refusals: Pick<RefusalCounts, "take">;
  readonly clock: Clock;
}

const KEPT = 300;
/** Of more apps than that, only the sum is kept: 20 KB each. */
const MOST_APPS = 200;

export class SecondSeries {
  readonly #options: SecondSeriesOptions;
  readonly #all: Point[] = [];
  readonly #apps = new Map<string, Point[]>();
  #before = new Map<string, AppStatistics>();
  readonly #timed: DurationsSince;

  constructor(options: SecondSeriesOptions) {
    this.#options = options;
    this.#timed = new DurationsSince(options.deliveries);
  }

  /** To be called once a second. */
  tick(): void {
    const { totals, refusals, clock } = this.#options;
    const atMs = Math.floor(clock.wallMs() / 1000) * 1000;
    const now = new Map([...totals()].map(([app, numbers]) => [app, { ...numbers }]));
    const refused = refusals.take();
    let together: Point = { ...noStatistics(), atMs };
    for (const app of new Set([...now.keys(), ...refused.keys()])) {
      if (app !== undefined && isReserved({ id: app })) continue;
      const why = refused.get(app);
      const point = { ...this.#since(app, now), atMs, ...(why && { refused: why }) };
      together = addPoints(together, point);
      if (app !== undefined) this.#keep(app, point);
    }
    const latency = this.#timed.take();
    push(this.#all, latency.some((count) => count > 0) ? { ...together, latency } : together);
    for (const app of this.#apps.keys()) if (!now.has(app)) this.#age(app, atMs);
    this.#before = now;
  }

  /** Oldest first; of all apps where none is named. */
  series(app?: string): readonly Point[] {
    return app === undefined ? this.#all : (this.#apps.get(app) ?? []);
  }

  latest(app?: string): Point | undefined {
    const latest = this.series(app).at(-1);
    return latest?.atMs === this.#all.at(-1)?.atMs ? latest : undefined;
  }

  #since(app: string | undefined, now: ReadonlyMap<string, AppStatistics>): AppStatistics {
    const numbers = app === undefined ? undefined : now.get(app);
    return app !== undefined && numbers ? since(this.#before.get(app) ?? noStatistics(), numbers) : noStatistics();
  }

  #keep(app: string, point: Point): void {
    const points = this.#apps.get(app);
    if (points) push(points, point);
    else if (this.#apps.size < MOST_APPS) this.#apps.set(app, [point]);
  }

  /** Nobody uses it any more: forgotten with its last point. */
  #age(app: string, nowMs: number): void {
    const last = this.#apps.get(app)?.at(-1);
    if (!last || nowMs - last.atMs > KEPT * 1000) this.#apps.delete(app);
  }
}

function push(points: Point[], point: Point): void {
  points.push(point);
  if (points.length > KEPT) points.shift();
}

/** A counter that is lower than it was began anew. */
function since(before: AppStatistics, now: AppStatistics): AppStatistics {
  const grown = statisticsOf((name) => (now[name] < before[name] ? now[name] : now[name] - before[name]));
  return { ...grown, connections: now.connections, peakConnections: now.connections };
}
