/** The one table of the dashboard's API: what there is, who may call it, and what does it. */

import type { Role } from "./api-types.ts";
import type { Handler } from "./call.ts";
import * as actions from "./handlers/actions.ts";
import * as apps from "./handlers/apps.ts";
import * as channels from "./handlers/channels.ts";
import * as queries from "./handlers/queries.ts";
import * as reports from "./handlers/reports.ts";

export interface AdminRoute {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `api/`; `:name` is one part. */
  readonly path: string;
  readonly role: Role;
  readonly handle: Handler;
}

/** Everything but a GET changes something, and needs the header of the dashboard's own page. Session and ticket have routes of their own. */
export const ROUTES: readonly AdminRoute[] = [
  { method: "GET", path: "overview", role: "view", handle: queries.overview },
  { method: "GET", path: "nodes", role: "view", handle: queries.nodes },
  { method: "POST", path: "nodes/:id/drain", role: "admin", handle: actions.drain },
  { method: "DELETE", path: "nodes/:id/drain", role: "admin", handle: actions.endDrain },
  { method: "POST", path: "nodes/rebalance", role: "admin", handle: actions.rebalance },
  { method: "GET", path: "apps", role: "view", handle: apps.apps },
  { method: "POST", path: "apps", role: "admin", handle: apps.create },
  { method: "GET", path: "apps/:app", role: "view", handle: apps.app },
  { method: "PATCH", path: "apps/:app", role: "admin", handle: apps.edit },
  { method: "DELETE", path: "apps/:app", role: "admin", handle: apps.remove },
  { method: "POST", path: "apps/:app/secret", role: "admin", handle: apps.secret },
  { method: "POST", path: "apps/:app/rotate", role: "admin", handle: apps.rotate },
  { method: "GET", path: "channels", role: "view", handle: channels.channels },
  { method: "GET", path: "apps/:app/channels", role: "view", handle: channels.channels },
  { method: "GET", path: "apps/:app/channel", role: "view", handle: channels.channel },
  { method: "GET", path: "apps/:app/history", role: "view", handle: channels.history },
  { method: "GET", path: "apps/:app/connections", role: "view", handle: queries.connections },
  { method: "GET", path: "apps/:app/connections/:id", role: "view", handle: queries.connection },
  { method: "GET", path: "people", role: "view", handle: queries.people },
  { method: "GET", path: "apps/:app/users/:id", role: "view", handle: queries.person },
  { method: "POST", path: "apps/:app/connections/:id/disconnect", role: "operate", handle: actions.disconnect },
  { method: "POST", path: "apps/:app/users/:id/terminate", role: "operate", handle: actions.terminate },
  { method: "POST", path: "apps/:app/subscribe", role: "operate", handle: actions.subscribe },
  { method: "POST", path: "apps/:app/unsubscribe", role: "operate", handle: actions.unsubscribe },
  { method: "POST", path: "apps/:app/kick", role: "operate", handle: actions.kick },
  { method: "POST", path: "apps/:app/unban", role: "operate", handle: actions.unban },
  { method: "POST", path: "apps/:app/reconnect", role: "operate", handle: actions.reconnect },
  { method: "POST", path: "apps/:app/purge", role: "operate", handle: actions.purge },
  { method: "POST", path: "apps/:app/events", role: "operate", handle: actions.send },
  { method: "POST", path: "apps/:app/explain", role: "operate", handle: reports.explain },
  { method: "GET", path: "statistics", role: "view", handle: reports.statistics },
  { method: "GET", path: "insights", role: "view", handle: reports.insights },
  { method: "GET", path: "webhooks", role: "view", handle: reports.webhooks },
  { method: "POST", path: "webhooks/replay", role: "operate", handle: actions.replay },
  { method: "GET", path: "outboxes", role: "view", handle: reports.outboxes },
  { method: "POST", path: "outboxes/:id/retry", role: "operate", handle: actions.retryRows },
  { method: "GET", path: "audit", role: "operate", handle: reports.audit },
];
