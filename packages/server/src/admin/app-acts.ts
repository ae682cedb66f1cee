/** What back ends and programs do that belongs in the audit log, beside what operators do. */

import type { App } from "../domain/app.ts";
import type { HubEvent, Steered } from "../domain/hub-event.ts";
import type { PurgeRange } from "../domain/message.ts";
import type { AuditLog } from "./audit-log.ts";

/** What an app's own users notice of every day is none of it: subscribing them, and having them connect again. */
const WRITTEN_DOWN: Readonly<Partial<Record<Steered["act"], string>>> = {
  kick: "channel.kick",
  ban: "user.ban",
  unban: "user.unban",
  disconnect: "connection.disconnect",
};

/** Undefined where it is nothing to write down, or is already, under an operator's name. */
export function auditEntryOf(event: HubEvent): Parameters<AuditLog["record"]> | undefined {
  if (event.type === "purged") {
    const { app, channel, purged, range } = event;
    return [nameOf(app), "history.purge", { app: app.id, channel, purged, ...boundOf(range) }];
  }
  if (event.type !== "steered" || event.byOperator) return undefined;
  const { app, act, whose, channel, connections } = event;
  const what = act === "disconnect" && "user" in whose ? "user.terminate" : WRITTEN_DOWN[act];
  const where = channel === undefined ? {} : { channel };
  return what === undefined ? undefined : [nameOf(app), what, { app: app.id, ...whose, ...where, connections }];
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
