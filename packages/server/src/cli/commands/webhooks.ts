/** `fanfare webhooks`: those that no receiver took in time. */

import { type ClaimedMessage, Outbox } from "../../observers/webhooks/outbox.ts";
import { type OpenedDatabase, withTables } from "../database.ts";
import { CliError } from "../errors.ts";
import { printable, type Report } from "../output.ts";

interface FailedOptions {
  readonly app?: string;
  readonly limit: string;
}

export async function listFailed(options: FailedOptions): Promise<Report> {
  const limit = wholeNumber(options.limit, "--limit");
  const failed = await withTables(options, (opened) => outboxOf(opened).failed(limit, options.app));
  return { json: failed, text: failed.length === 0 ? "there are none" : failed.map(lineOf).join("\n") };
}

export async function replay(options: { readonly all?: true }, ids: readonly string[]): Promise<string> {
  if (options.all ? ids.length > 0 : ids.length === 0) throw new CliError("say which: their numbers, or --all");
  const wanted = options.all ? undefined : ids.map((id) => wholeNumber(id, "the number of a delivery"));
  const count = await withTables(options, (opened) => outboxOf(opened).replay(Date.now(), wanted));
  return `${count} ${count === 1 ? "goes" : "go"} out again, by a server that runs on this database`;
}

function outboxOf({ database }: OpenedDatabase): Outbox {
  return new Outbox(database, "cli", 0);
}

function lineOf({ id, app, channel, target, event, attempts, createdAtMs, lastError }: ClaimedMessage): string {
  const when = new Date(createdAtMs).toISOString();
  const words = [String(id), when, app, channel, target, `${attempts} attempts`, lastError ?? "", event];
  return words.map(printable).join("\t");
}

function wholeNumber(text: string, what: string): number {
  if (/^\d{1,15}$/.test(text) && Number(text) > 0) return Number(text);
  throw new CliError(`${what} has to be a whole number from 1 up, but is ${printable(JSON.stringify(text))}`);
}
