/** `fanfare webhooks`: those that no receiver took in time. */

import type { StoredDelivery } from "../../domain/receiver-report.ts";
import { WebhookQueue } from "../../observers/webhooks/webhook-queue.ts";
import { type OpenedDatabase, withTables } from "../database.ts";
import { chosenNumbers, wholeNumber } from "../numbers.ts";
import { printable, type Report } from "../output.ts";

interface FailedOptions {
  readonly app?: string;
  readonly limit: string;
}

export async function listFailed(options: FailedOptions): Promise<Report> {
  const limit = wholeNumber("--limit", options.limit);
  const failed = await withTables(options, (opened) => queueOf(opened).failed(limit, options.app));
  return { json: failed, text: failed.length === 0 ? "there are none" : failed.map(lineOf).join("\n") };
}

export async function replay(options: { readonly all?: true }, ids: readonly string[]): Promise<string> {
  const wanted = chosenNumbers("delivery", ids, options.all);
  const count = await withTables(options, (opened) => queueOf(opened).replay(Date.now(), wanted));
  return `${count} ${count === 1 ? "goes" : "go"} out again, by a server that runs on this database`;
}

function queueOf({ database }: OpenedDatabase): WebhookQueue {
  return new WebhookQueue(database, "cli", 0);
}

function lineOf({ id, app, channel, target, event, attempts, createdAtMs, lastError }: StoredDelivery): string {
  const when = new Date(createdAtMs).toISOString();
  const words = [String(id), when, app, channel, target, `${attempts} attempts`, lastError ?? "", event];
  return words.map(printable).join("\t");
}
