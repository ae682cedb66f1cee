/** Webhooks from the event to the receiver: what is observed is written to the queue, and sent from there. */

import type { Config } from "../../config/schema/schema.ts";
import type { Database } from "../../database/open.ts";
import type { App } from "../../domain/app.ts";
import { isPublic } from "../../guards/ip.ts";
import type { Tracing } from "../../observers/telemetry/tracing.ts";
import { Delivery } from "../../observers/webhooks/delivery.ts";
import type { ReceiverReports } from "../../observers/webhooks/receiver-reports.ts";
import { WebhookQueue } from "../../observers/webhooks/webhook-queue.ts";
import { Webhooks } from "../../observers/webhooks/webhooks.ts";
import { hookSettings } from "../hook-settings.ts";
import type { StorageOptions } from "./storage-options.ts";

/** How old may be what is known of other nodes, and for how long one that leaves may be late with what it writes. */
const NODES_FRESH_MS = 250;
const LEAVING_MS = 2_000;

/** What became of so many events of an app: "delivered", "failed", "dead" and so on. */
export type OutcomeListener = (app: string, outcome: string, count: number) => void;

export interface WebhookPipelineOptions extends StorageOptions {
  readonly database: Database;
  /** Names this process in the tables. */
  readonly node: string;
  readonly tracing: Tracing | undefined;
  readonly onOutcome: OutcomeListener;
  readonly receivers: ReceiverReports;
}

export class WebhookPipeline {
  readonly queue: WebhookQueue;
  readonly #options: WebhookPipelineOptions;
  readonly delivery: Delivery;
  readonly webhooks: Webhooks;
  #nodesAskedAtMs = Number.NEGATIVE_INFINITY;
  #leavingSeenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WebhookPipelineOptions) {
    const { config, clock, host, database, node, tracing, version, onOutcome, receivers } = options;
    const { timeoutS, retryForS, allowPrivate, leaveDelayS } = config.webhooks;
    const failed = (error: unknown, during: string) => host.failed(error, during);
    const timeoutMs = timeoutS * 1000;
    this.#options = options;
    this.queue = new WebhookQueue(database, node, timeoutMs * 2);
    this.delivery = new Delivery({
      ...{ queue: this.queue, clock, timeoutMs, version, failed, onOutcome },
      apps: { byId: (id) => host.findApp(id), byKey: () => undefined },
      attempted: (attempt) => receivers.attempted(attempt),
      random: Math.random,
      retryForMs: retryForS * 1000,
      reach: allowPrivate ? undefined : { may: isPublic, setting: "webhooks.allowPrivate" },
      hookReach: hookSettings(config).reach,
      ...(tracing && { trace: (...step) => tracing.webhook(...step) }),
    });
    this.webhooks = new Webhooks({
      ...{ queue: this.queue, delivery: this.delivery, clock, failed },
      leaveDelayMs: leaveDelayS * 1000,
      isPresent: (app, event) => this.#isPresent(app, event.channel, event.user_id),
      ...(isQueueShared(config, options.given.engine) && {
        isAnotherNodeDraining: () => this.#isAnotherNodeDraining(),
      }),
    });
  }

  /** For a while after its last report as well: a node that has left the cluster may still be writing. */
  async #isAnotherNodeDraining(): Promise<boolean> {
    const { clock, host } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#nodesAskedAtMs > NODES_FRESH_MS) {
      this.#nodesAskedAtMs = nowMs;
      try {
        const nodes = await host.hub?.nodes();
        if (nodes?.some(({ draining }) => draining)) this.#leavingSeenAtMs = nowMs;
      } catch {
        // An engine that is away says nothing of the others.
      }
    }
    return !host.nodeState.draining && nowMs - this.#leavingSeenAtMs < LEAVING_MS;
  }

  async #isPresent(app: App, channel: string, user: string | undefined): Promise<boolean> {
    const { hub } = this.#options.host;
    if (!hub) return false;
    if (user === undefined) return (await hub.summary(app, channel)) !== undefined;
    return (await hub.members(app, channel)).some(({ id }) => id === user);
  }
}

/** Whether other processes write into the same queue. */
function isQueueShared({ engine, workers, database }: Config, givenEngine: unknown): boolean {
  return database.url !== undefined && (engine !== "memory" || givenEngine !== undefined || workers > 1);
}
