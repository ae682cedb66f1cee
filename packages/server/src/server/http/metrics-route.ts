/** `/metrics`: the server's numbers, for those who may read them. */

import type { Config } from "../../config/schema/schema.ts";
import { ipRules } from "../../guards/ip.ts";
import { isSameSecret } from "../../hub/signature.ts";
import type { ResolveCaller } from "./caller.ts";
import { errorResponse } from "./error-response.ts";
import type { Route } from "./router.ts";

export interface MetricsRouteOptions {
  readonly config: Pick<Config, "metrics" | "path" | "trustedProxies">;
  readonly identify: ResolveCaller;
  readonly scrape: () => Promise<{ readonly type: string; readonly text: string }>;
}

export function metricsRoute({ config, identify, scrape }: MetricsRouteOptions): Route {
  const { metrics, path, trustedProxies } = config;
  const barrier = ipRules(metrics.allowIps, []);
  /** A proxy whose word does not count makes a neighbour of everybody. */
  const isHidden = ({ headers }: Request) =>
    trustedProxies.length === 0 && (headers.has("x-forwarded-for") || headers.has("forwarded"));
  return (request, url, gate) => {
    if (!metrics.enabled || (url.pathname !== "/metrics" && url.pathname !== `${path}/metrics`)) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    }
    const { address } = identify(request, url, gate.requestIP(request)?.address);
    if (!hasToken(request, metrics.token) && (isHidden(request) || barrier?.(address))) return FORBIDDEN();
    return scrape().then(
      ({ type, text }) => new Response(text, { headers: { "Content-Type": type, "Cache-Control": "no-store" } }),
      (error) =>
        errorResponse(503, "unavailable", error instanceof Error ? error.message : "The numbers cannot be had."),
    );
  };
}

function hasToken(request: Request, token: string | undefined): boolean {
  if (token === undefined) return false;
  return isSameSecret(request.headers.get("authorization") ?? "", `Bearer ${token}`);
}

const FORBIDDEN = () =>
  errorResponse(403, "forbidden", "Send the token of `metrics.token`, or come from an address of `metrics.allowIps`.");
