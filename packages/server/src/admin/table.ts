/** The one table of the dashboard's API: what there is, who may call it, and what does it. */

import type { Act } from "./call.ts";
import * as acting from "./calls/acting.ts";
import * as apps from "./calls/apps.ts";
import * as looking from "./calls/looking.ts";
import * as records from "./calls/records.ts";
import type { Role } from "./wire.ts";

export interface Entry {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Below `api/`; `:name` is one part. */
  readonly path: string;
  readonly role: Role;
  readonly act: Act;
}

/** Whatever is no GET changes something, and needs the header of the dashboard's own page. Session and ticket stand beside it. */
export const TABLE: readonly Entry[] = [
  { method: "GET", path: "overview", role: "view", act: looking.overview },
  { method: "GET", path: "nodes", role: "view", act: looking.nodes },
  { method: "POST", path: "nodes/:id/drain", role: "admin", act: acting.drain },
  { method: "DELETE", path: "nodes/:id/drain", role: "admin", act: acting.endDrain },
  { method: "GET", path: "apps", role: "view", act: apps.apps },
  { method: "POST", path: "apps", role: "admin", act: apps.create },
  { method: "GET", path: "apps/:app", role: "view", act: apps.app },
  { method: "PATCH", path: "apps/:app", role: "admin", act: apps.edit },
  { method: "DELETE", path: "apps/:app", role: "admin", act: apps.remove },
  { method: "POST", path: "apps/:app/rotate", role: "admin", act: apps.rotate },
  { method: "GET", path: "apps/:app/channels", role: "view", act: looking.channels },
  { method: "GET", path: "apps/:app/channel", role: "view", act: looking.channel },
  { method: "GET", path: "apps/:app/connections", role: "view", act: looking.connections },
  { method: "GET", path: "apps/:app/connections/:id", role: "view", act: looking.connection },
  { method: "POST", path: "apps/:app/connections/:id/disconnect", role: "operate", act: acting.disconnect },
  { method: "POST", path: "apps/:app/users/:id/terminate", role: "operate", act: acting.terminate },
  { method: "POST", path: "apps/:app/events", role: "operate", act: acting.send },
  { method: "POST", path: "apps/:app/explain", role: "operate", act: records.explain },
  { method: "GET", path: "statistics", role: "view", act: records.statistics },
  { method: "GET", path: "webhooks", role: "view", act: records.webhooks },
  { method: "POST", path: "webhooks/replay", role: "operate", act: acting.replay },
  { method: "GET", path: "audit", role: "operate", act: records.audit },
];

export interface Found {
  readonly entry: Entry;
  readonly params: Readonly<Record<string, string>>;
}

/** `undefined` where there is nothing at the path; without an entry, where there is, but not by this method. */
export function find(method: string, path: string): Found | { readonly methods: readonly string[] } | undefined {
  const there = TABLE.flatMap((entry) => {
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
