/** The one table of the dashboard's API: what there is, who may call it, and what does it. */

import type { Role } from "./api-types.ts";
import type { Handler } from "./call.ts";
import * as acting from "./handlers/actions.ts";
import * as apps from "./handlers/apps.ts";
import * as looking from "./handlers/queries.ts";
import * as records from "./handlers/reports.ts";

export interface AdminRoute {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `api/`; `:name` is one part. */
  readonly path: string;
  readonly role: Role;
  readonly handle: Handler;
}

/** Everything but a GET changes something, and needs the header of the dashboard's own page. Session and ticket have routes of their own. */
export const ROUTES: readonly AdminRoute[] = [
  { method: "GET", path: "overview", role: "view", handle: looking.overview },
  { method: "GET", path: "nodes", role: "view", handle: looking.nodes },
  { method: "POST", path: "nodes/:id/drain", role: "admin", handle: acting.drain },
  { method: "DELETE", path: "nodes/:id/drain", role: "admin", handle: acting.endDrain },
  { method: "GET", path: "apps", role: "view", handle: apps.apps },
  { method: "POST", path: "apps", role: "admin", handle: apps.create },
  { method: "GET", path: "apps/:app", role: "view", handle: apps.app },
  { method: "PATCH", path: "apps/:app", role: "admin", handle: apps.edit },
  { method: "DELETE", path: "apps/:app", role: "admin", handle: apps.remove },
  { method: "POST", path: "apps/:app/rotate", role: "admin", handle: apps.rotate },
  { method: "GET", path: "apps/:app/channels", role: "view", handle: looking.channels },
  { method: "GET", path: "apps/:app/channel", role: "view", handle: looking.channel },
  { method: "GET", path: "apps/:app/connections", role: "view", handle: looking.connections },
  { method: "GET", path: "apps/:app/connections/:id", role: "view", handle: looking.connection },
  { method: "POST", path: "apps/:app/connections/:id/disconnect", role: "operate", handle: acting.disconnect },
  { method: "POST", path: "apps/:app/users/:id/terminate", role: "operate", handle: acting.terminate },
  { method: "POST", path: "apps/:app/events", role: "operate", handle: acting.send },
  { method: "POST", path: "apps/:app/explain", role: "operate", handle: records.explain },
  { method: "GET", path: "statistics", role: "view", handle: records.statistics },
  { method: "GET", path: "webhooks", role: "view", handle: records.webhooks },
  { method: "POST", path: "webhooks/replay", role: "operate", handle: acting.replay },
  { method: "GET", path: "audit", role: "operate", handle: records.audit },
];
