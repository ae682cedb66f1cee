/**
 * What can be counted of an app, before any of it was: a series that begins with its first event has no increase for it, and an
 * alert on that would miss the one that matters most.
 */

import { COMMAND_ERRORS, DISCONNECTS } from "../../domain/error.ts";

/** Of more apps than that, series begin with their first event: each app has about eighty. */
export const MOST_ZEROED = 100;

const REFUSALS = Object.keys(COMMAND_ERRORS).filter((code) => code !== "internal");

export const WHY_TURNED_AWAY = Object.keys(DISCONNECTS);
export const WHY_CLOSED = ["client", ...WHY_TURNED_AWAY];
export const WHY_REFUSED = [...REFUSALS, "internal"];
export const WHY_CALL_REFUSED = [...REFUSALS, "app_disabled", "not_found"];
/** Where there is no app to blame. */
export const WHY_CALL_UNKNOWN = ["app_unknown", "forbidden"];
export const PROTOCOLS = ["pusher", "native", "events"];
export const PUBLISHERS = ["client", "backend"];
export const ACTS = ["subscribe", "unsubscribe", "kick", "ban", "unban", "disconnect", "reconnect"];
export const OUTCOMES = ["sent", "retried", "dead"];
export const STATUSES = [200, 400, 401, 403, 404, 409, 413, 429, 500, 503];
