/** The numbers of a moment, for `/metrics`: of the hub, of the counters, and of the queue where it answers soon. */

import type { Clock } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Snapshot } from "../../observers/metrics/snapshot.ts";
import type { Counters } from "../../observers/statistics/counters.ts";
import type { WebhookQueue } from "../../observers/webhooks/webhook-queue.ts";
import { withinTime } from "../system/promises.ts";
import type { StorageHost } from "./storage-options.ts";

/** Prometheus gives up after ten seconds, and then takes the whole server for down. */
const BACKLOG_MS = 1_000;

type Backlog = Awaited<ReturnType<WebhookQueue["backlog"]>>;

/** Takes one when it is called. */
export function metricsSnapshots(
  host: StorageHost,
  clock: Clock,
  counters: Counters,
  queue: () => WebhookQueue | undefined,
): () => Promise<Snapshot> {
  /** The query that is under way: a database that hangs is not asked again by each scrape. */
  let counting: Promise<Backlog | undefined> | undefined;
  return async () => {
    const { hub, nodeState, outboxes } = host;
    const engine = hub?.health ?? { reachable: true as const };
    const snapshot = { apps: appsOf(hub?.appStats ?? [], counters), engine, ...nodeState, outboxes };
    counting ??= queue()
      ?.backlog()
      .catch(() => undefined)
      .finally(() => {
        counting = undefined;
      });
    // Where the database does not answer soon, everything else has to be seen.
    const backlog = counting && (await withinTime(BACKLOG_MS, counting));
    if (!backlog) return snapshot;
    const { waiting, failed, oldestAtMs } = backlog;
    const oldestS = oldestAtMs === undefined ? 0 : Math.max(0, (clock.wallMs() - oldestAtMs) / 1000);
    return { ...snapshot, webhooks: { waiting, failed, oldestS } };
  };
}

function appsOf(appStats: Hub["appStats"], counters: Counters): Snapshot["apps"] {
  const stats = new Map(appStats.map((one) => [one.app, one]));
  const ids = new Set([...stats.keys(), ...counters.apps.keys()]);
  return [...ids].map((id) => {
    const counted = counters.apps.get(id) ?? NO_TRAFFIC;
    return { ...counted, id, ...(stats.get(id) ?? NO_CONNECTIONS) };
  });
}

const NO_TRAFFIC = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
const NO_CONNECTIONS = {
  ...{ connections: 0, subscriptions: 0, transports: [] },
  channels: { public: 0, private: 0, presence: 0 },
};
