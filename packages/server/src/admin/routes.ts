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

/** Whatever is no GET changes something, and needs the header of the dashboard's own page. Session and ticket stand beside it. */
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

export interface MatchedRoute {
  readonly entry: AdminRoute;
  readonly params: Readonly<Record<string, string>>;
}

/** `undefined` where there is nothing at the path; without an entry, where there is, but not by this method. */
export function matchRoute(
  method: string,
  path: string,
): MatchedRoute | { readonly methods: readonly string[] } | undefined {
  const there = ROUTES.flatMap((entry) => {
    const params = paramsOf(entry.path, path);
    return params ? [{ entry, params }] : [];
  });
  const found = there.find(({ entry }) => entry.method === method);
  if (found) return found;
  return there.length > 0 ? { methods: there.map(({ entry }) => entry.method) } : undefined;
}

function paramsOf(pattern: string, path: string): Record<string, string> | undefined {
  const [names, parts] = [pattern.split("/"), path.split("/")];
  if (names.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const part = parts[index] ?? "";
    if (!name.startsWith(":")) {
      if (name !== part) return undefined;
      continue;
    }
    const value = decoded(part);
    if (!value) return undefined;
    params[name.slice(1)] = value;
  }
  return params;
}

/** Undefined where it is not spelled right. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
