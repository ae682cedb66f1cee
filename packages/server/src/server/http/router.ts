/** Ordinary HTTP on the same port: health, the API, the program's own, the page a newcomer sees, and nothing else. */

import { errorResponse } from "./error-response.ts";

/** What a route may ask of the port that the request came through. Bun's server has this form. */
export interface HttpListener {
  requestIP(request: Request): { readonly address: string } | null;
  /** Hangs up after so many seconds of silence; 0 is never. */
  timeout(request: Request, seconds: number): void;
}

/** Answers a request, or leaves it to the next. */
export type Route = (request: Request, url: URL, gate: HttpListener) => Response | Promise<Response> | undefined;
export type RequestHandler = (request: Request, url: URL, gate: HttpListener) => Response | Promise<Response>;

export interface RouterOptions {
  /** In front of every path, for proxies that do not strip it. */
  readonly path: string;
  readonly api: Route;
  /** `/ready`. */
  readonly ready: Route;
  /** The program's own, and whether there is any: then the API answers at its own paths only, not below others. */
  readonly program: Route;
  readonly hasProgram: () => boolean;
  /** What the program puts around all of them but `/health` and `/ready`, which have to answer whatever it does. */
  readonly around: (answer: RequestHandler) => RequestHandler;
  readonly more: readonly Route[];
}

export function router({ path, api, ready, program, hasProgram, around, more }: RouterOptions): RequestHandler {
  const ownApi: Route = (request, url, gate) =>
    hasProgram() && !isApi(path, url) ? undefined : api(request, url, gate);
  const own: readonly Route[] = [health(path), ready];
  const rest = around(first([ownApi, missingUpgrade, program, ...more], notFound));
  return first(own, rest);
}

function first(routes: readonly Route[], otherwise: RequestHandler): RequestHandler {
  return (request, url, gate) => {
    for (const route of routes) {
      const answer = route(request, url, gate);
      if (answer) return answer;
    }
    return otherwise(request, url, gate);
  };
}

const WITHOUT_UPGRADE =
  "This is a WebSocket, but the request has no `Upgrade: websocket`: a proxy in between took it away. It has to pass it on: " +
  "nginx by `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;`, " +
  "Apache by `RewriteRule` to ws:// or `upgrade=websocket`; HAProxy and Caddy do by themselves. See docs/deploy.md.";

/** Browsers send the key with every handshake, and proxies leave it where they drop the rest. */
const missingUpgrade: Route = ({ method, headers }) =>
  method === "GET" && headers.has("sec-websocket-key") && !headers.has("upgrade") ? upgradeRequired() : undefined;

/** RFC 9110, 15.5.22. */
function upgradeRequired(): Response {
  const headers = { Upgrade: "websocket", Connection: "Upgrade", "Cache-Control": "no-store" };
  return errorResponse(426, "upgrade_required", WITHOUT_UPGRADE, headers);
}

function notFound({ method }: Request, { pathname }: URL): Response {
  if (method === "GET" && /\/app\/[^/]+\/?$/.test(pathname)) return upgradeRequired();
  const error = `There is nothing at ${pathname}. WebSocket clients connect to /app/KEY or to /.`;
  return errorResponse(404, "not_found", error);
}

function isApi(path: string, { pathname }: URL): boolean {
  return pathname.startsWith("/apps/") || (path !== "" && pathname.startsWith(`${path}/apps/`));
}

/** That the process lives. */
function health(path: string): Route {
  return ({ method }, { pathname }) => {
    if (pathname !== "/health" && pathname !== `${path}/health`) return undefined;
    if (method !== "GET" && method !== "HEAD")
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    return Response.json({ status: "ok" }, { headers: { "Cache-Control": "no-store" } });
  };
}
