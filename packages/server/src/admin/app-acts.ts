/** What back ends and programs do to clients and to histories belongs in the audit log, beside what operators do. */

import type { App } from "../domain/app.ts";
import type { TokenBucket } from "../domain/connection.ts";
import type { HubEvent, Steered } from "../domain/hub-event.ts";
import type { PurgeRange } from "../domain/message.ts";
import type { Clock, Observer } from "../domain/ports.ts";
import { takeToken } from "../hub/token-bucket.ts";
import type { AuditLog } from "./audit-log.ts";

const NAMES: Readonly<Record<Steered["act"], string>> = {
  subscribe: "channel.subscribe",
  unsubscribe: "channel.unsubscribe",
  kick: "channel.kick",
  ban: "user.ban",
  unban: "user.unban",
  disconnect: "connection.disconnect",
  reconnect: "connection.reconnect",
};
/** An app may do one thing for each of its users, all day: of each, so many at once are written, and one a second. */
const BURST = 60;
const PER_SECOND = 1;

interface Frequency {
  readonly bucket: TokenBucket;
  /** How many are not in the log since the last that is. */
  omitted: number;
}

export function auditAppActs(audit: Pick<AuditLog, "record">, clock: Clock): Observer {
  const frequencies = new Map<string, Frequency>();
  return (event: HubEvent) => {
    // An operator's is in the log already, under the operator's name.
    if ((event.type !== "purged" && event.type !== "steered") || event.byOperator) return;
    const { app } = event;
    const { what, detail } = event.type === "purged" ? purgeOf(event) : steeringOf(event);
    const nowMs = clock.monotonicMs();
    const key = `${what} ${app.id}`;
    const frequency = frequencies.get(key) ?? { bucket: { tokens: BURST, atMs: nowMs }, omitted: 0 };
    frequencies.set(key, frequency);
    if (takeToken(frequency.bucket, nowMs, PER_SECOND, BURST) !== undefined) return void frequency.omitted++;
    const { omitted } = frequency;
    frequency.omitted = 0;
    void audit.record(nameOf(app), what, { ...detail, ...(omitted > 0 && { omitted }) });
  };
}

interface Entry {
  readonly what: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

function purgeOf({ app, channel, purged, range }: Extract<HubEvent, { type: "purged" }>): Entry {
  return { what: "history.purge", detail: { app: app.id, channel, purged, ...boundOf(range) } };
}

function steeringOf({ app, act, whose, channel, connections }: Steered): Entry {
  const what = act === "disconnect" && "user" in whose ? "user.terminate" : NAMES[act];
  return { what, detail: { app: app.id, ...whose, ...(channel !== undefined && { channel }), connections } };
}

/** Whoever has the app's secret, or its program. No operator's name has a space. */
function nameOf({ id }: App): string {
  return `app ${id}`;
}

function boundOf(range: PurgeRange): Readonly<Record<string, unknown>> {
  switch (range.type) {
    case "all":
      return {};
    case "before":
      return { before: range.position };
    case "older":
      return { toMs: range.toMs };
    case "event":
      return { event: range.position };
  }
}
