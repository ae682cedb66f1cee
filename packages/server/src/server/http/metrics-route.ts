/** `/metrics`: the server's numbers, for those who may read them. */

import type { Config } from "../../config/schema/schema.ts";
import { ipRules } from "../../guards/ip.ts";
import { errorResponse } from "../../http/error-response.ts";
import { isSameSecret } from "../../hub/signature.ts";
import type { ResolveCaller } from "./caller.ts";
import { getRoute, type Route } from "./router.ts";

export interface MetricsRouteOptions {
  readonly config: Pick<Config, "metrics" | "path" | "trustedProxies">;
  readonly identify: ResolveCaller;
  readonly scrape: () => Promise<{ readonly type: string; readonly text: string }>;
}

export function metricsRoute({ config, identify, scrape }: MetricsRouteOptions): Route {
  const { metrics, path, trustedProxies } = config;
  if (!metrics.enabled) return () => undefined;
  const barrier = ipRules(metrics.allowIps, []);
  /** Behind a proxy that is not trusted, everybody has the proxy's address. */
  const isProxied = ({ headers }: Request) =>
    trustedProxies.length === 0 && (headers.has("x-forwarded-for") || headers.has("forwarded"));
  return getRoute(path, "/metrics", async (request, url, listener) => {
    const { address } = identify(request, url, listener);
    if (!hasToken(request, metrics.token) && (isProxied(request) || barrier?.(address))) return forbidden();
    try {
      const { type, text } = await scrape();
      return new Response(text, { headers: { "Content-Type": type, "Cache-Control": "no-store" } });
    } catch (error) {
      return errorResponse(503, "unavailable", error instanceof Error ? error.message : "The metrics are unavailable.");
    }
  });
}

function hasToken(request: Request, token: string | undefined): boolean {
  if (token === undefined) return false;
  return isSameSecret(request.headers.get("authorization") ?? "", `Bearer ${token}`);
}

function forbidden(): Response {
  const message = "Send the token of `metrics.token`, or come from an address of `metrics.allowIps`.";
  return errorResponse(403, "forbidden", message);
}
