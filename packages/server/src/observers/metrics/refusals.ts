/** What is refused of clients, of commands and of calls of the HTTP API: every reason there is, and how often each is given. */

import { COMMAND_ERRORS, DISCONNECTS } from "../../domain/error.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Observer } from "../../domain/ports.ts";

const REFUSALS = Object.keys(COMMAND_ERRORS).filter((code) => code !== "internal");

export const WHY_TURNED_AWAY = Object.keys(DISCONNECTS);
export const WHY_CLOSED = ["client", ...WHY_TURNED_AWAY];
export const WHY_REFUSED = [...REFUSALS, "internal"];
export const WHY_CALL_REFUSED = [...REFUSALS, "app_disabled", "not_found"];
/** Where there is no app to blame. */
export const WHY_CALL_UNKNOWN = ["app_unknown", "forbidden"];

const KNOWN: ReadonlySet<string> = new Set([...WHY_CALL_REFUSED, ...WHY_CALL_UNKNOWN, ...WHY_TURNED_AWAY]);

/** How often what was refused, by its code, app by app. */
export class RefusalCounts {
  #counts = new Map<string | undefined, Record<string, number>>();

  readonly observe: Observer = (event: HubEvent) => {
    switch (event.type) {
      case "refused":
        return this.#add(event.connection.app.id, event.error.code);
      case "api-refused":
        return this.#add(event.app?.id, event.error.code);
      case "rejected":
        return this.#add(event.app?.id, event.why.code);
      default:
        return;
    }
  };

  /** Since the last time. What was of no app there is is under undefined. */
  take(): ReadonlyMap<string | undefined, Readonly<Record<string, number>>> {
    const taken = this.#counts;
    if (taken.size > 0) this.#counts = new Map();
    return taken;
  }

  #add(app: string | undefined, code: string): void {
    const counts = this.#counts.get(app) ?? {};
    const reason = KNOWN.has(code) ? code : "other";
    counts[reason] = (counts[reason] ?? 0) + 1;
    this.#counts.set(app, counts);
  }
}
