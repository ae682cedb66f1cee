/** The headers of a client's handshake that its app's back end is sent. */

import type { App, HookSettings } from "../domain/app.ts";
import { isForwardable } from "../domain/forwarded-headers.ts";
import { type OriginTest, originTest } from "../domain/origin.ts";

const origins = new WeakMap<App, OriginTest>();

/** The Origin always; a cookie only from a page that the app lists, or any page could act for a visitor who is signed in elsewhere. */
export function forwardedHeaders(app: App, { forward }: HookSettings, headers: Headers): Record<string, string> {
  const origin = headers.get("origin");
  const found: Record<string, string> = origin === null ? {} : { Origin: origin };
  for (const name of forward) {
    const value = headers.get(name);
    if (value === null || !isForwardable(name)) continue;
    if (name.toLowerCase() === "cookie" && (origin === null || !isListed(app, origin))) continue;
    found[name] = value;
  }
  return found;
}

function isListed(app: App, origin: string): boolean {
  if (app.allowedOrigins.length === 0 || app.allowedOrigins.includes("*")) return false;
  const test = origins.get(app) ?? originTest(app.allowedOrigins);
  origins.set(app, test);
  return test(origin);
}
