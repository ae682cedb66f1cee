/** What pages of other origins may call: the app's `allowedOrigins`, asked with every request. */

import type { App } from "../../domain/app.ts";
import { isOriginAllowed } from "../../guards/origin.ts";

/** How long a browser remembers what it may do at one address. */
const MAX_AGE_S = 7_200;

/** Credentials are allowed only where a cookie may let in. Without an app, which nobody keeps to itself, all may read. */
export function corsHeaders(app: App | undefined, origin: string | null): Readonly<Record<string, string>> {
  if (!app || app.allowedOrigins.length === 0) return { "Access-Control-Allow-Origin": "*" };
  const headers = { Vary: "Origin" };
  if (origin === null || !isOriginAllowed(app, origin)) return headers;
  const credentials = app.token?.cookie !== undefined && { "Access-Control-Allow-Credentials": "true" };
  return { ...headers, ...credentials, "Access-Control-Allow-Origin": origin };
}

export interface Preflight {
  readonly methods: string;
  readonly headers: string;
}

export function preflightResponse(
  app: App | undefined,
  origin: string | null,
  { methods, headers }: Preflight,
): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...corsHeaders(app, origin),
      "Access-Control-Allow-Methods": methods,
      "Access-Control-Allow-Headers": headers,
      "Access-Control-Max-Age": String(MAX_AGE_S),
    },
  });
}
