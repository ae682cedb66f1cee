/** The numbers of a moment, for `/metrics`: of the hub, of the counters, and of the queue where it answers soon. */

import type { Clock } from "../../domain/ports.ts";
import type { Snapshot } from "../../observers/metrics/snapshot.ts";
import type { Counters } from "../../observers/statistics/counters.ts";
import type { WebhookQueue } from "../../observers/webhooks/webhook-queue.ts";
import { withinTime } from "../system/promises.ts";
import type { StorageHost } from "./storage-options.ts";

/** Prometheus gives up after ten seconds, and then takes the whole server for down. */
const BACKLOG_MS = 1_000;

type Backlog = Awaited<ReturnType<WebhookQueue["backlog"]>>;

export class MetricsSnapshots {
  readonly #host: StorageHost;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #queue: () => WebhookQueue | undefined;
  /** The query that is under way: a database that hangs is not asked again by each scrape. */
  #counting: Promise<Backlog | undefined> | undefined;

  constructor(host: StorageHost, clock: Clock, counters: Counters, queue: () => WebhookQueue | undefined) {
    this.#host = host;
    this.#clock = clock;
    this.#counters = counters;
    this.#queue = queue;
  }

  async take(): Promise<Snapshot> {
    const { hub, nodeState, outboxes } = this.#host;
    const stats = new Map(hub?.appStats.map((one) => [one.app, one]));
    const ids = new Set([...stats.keys(), ...this.#counters.apps.keys()]);
    const apps = [...ids].map((id) => {
      const counted = this.#counters.apps.get(id) ?? NO_TRAFFIC;
      return { ...counted, id, ...(stats.get(id) ?? NO_CONNECTIONS) };
    });
    const snapshot = { apps, engine: hub?.health ?? { reachable: true as const }, ...nodeState, outboxes };
    const backlog = await this.#backlog();
    if (!backlog) return snapshot;
    const { waiting, failed, oldestAtMs } = backlog;
    const oldestS = oldestAtMs === undefined ? 0 : Math.max(0, (this.#clock.wallMs() - oldestAtMs) / 1000);
    return { ...snapshot, webhooks: { waiting, failed, oldestS } };
  }

  /** Undefined where the database does not answer soon: everything else has to be seen then. */
  async #backlog(): Promise<Backlog | undefined> {
    this.#counting ??= this.#queue()
      ?.backlog()
      .catch(() => undefined)
      .finally(() => {
        this.#counting = undefined;
      });
    return this.#counting && withinTime(BACKLOG_MS, this.#counting);
  }
}

const NO_TRAFFIC = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
const NO_CONNECTIONS = {
  ...{ connections: 0, subscriptions: 0, transports: [] },
  channels: { public: 0, private: 0, presence: 0 },
};
