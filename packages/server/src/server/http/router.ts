/** Ordinary HTTP on the server's port: the server's own endpoints, the API, the program's routes, and 404 for the rest. */

import type { Awaitable } from "../../domain/ports.ts";
import { errorResponse, methodNotAllowed } from "../../http/error-response.ts";
import { pusherKeyIn, type RequestUrl } from "../../http/request-url.ts";

/** What a route may ask of the listener that the request came through. Bun's server has this form. */
export interface HttpListener {
  requestIP(request: Request): { readonly address: string } | null;
  /** Hangs up after so many seconds of silence; 0 is never. */
  timeout(request: Request, seconds: number): void;
}

/** Answers a request, or leaves it to the next route. */
export type Route = (
  request: Request,
  url: RequestUrl,
  listener: HttpListener,
) => Response | Promise<Response> | undefined;
export type RequestHandler = (
  request: Request,
  url: RequestUrl,
  listener: HttpListener,
) => Response | Promise<Response>;

export interface RouterOptions {
  /** In front of every path, for proxies that do not strip it. */
  readonly path: string;
  readonly api: Route;
  /** Asked first, and outside the program's middleware: they have to answer whatever that does. */
  readonly own: readonly Route[];
  /** The program's own, and whether there is any: then the API answers at its own paths only, not below others. */
  readonly program: Route;
  readonly hasProgram: () => boolean;
  /** What the program puts around all but the server's own. */
  readonly around: (handler: RequestHandler) => RequestHandler;
  readonly more: readonly Route[];
}

export function router({ path, api, own, program, hasProgram, around, more }: RouterOptions): RequestHandler {
  const ownApi: Route = (request, url, listener) =>
    hasProgram() && !isApi(path, url) ? undefined : api(request, url, listener);
  const rest = around(firstOf([ownApi, missingUpgrade, program, ...more, health(path, "/", "/up")], notFound));
  const all = firstOf([health(path, "/health"), ...own], rest);
  // To be asked for by each of the others first takes a trigger a thirtieth of its time.
  return (request, url, listener) => (PUBLISHING.test(url.pathname) ? rest : all)(request, url, listener);
}

/** The API's hot paths, where none of the server's other endpoints is. */
const PUBLISHING = /^\/apps\/[^/]+\/(?:batch_)?events$/;

/** Answers GET and HEAD at one of the server's own paths, or several, with the prefix or without. */
export function getRoute(prefix: string, path: string | readonly string[], handle: RequestHandler): Route {
  const paths = new Set([path].flat().flatMap((one) => [one, prefix + one]));
  return (request, url, listener) => {
    if (!paths.has(url.pathname)) return undefined;
    const isRead = request.method === "GET" || request.method === "HEAD";
    return isRead ? handle(request, url, listener) : methodNotAllowed("GET", "HEAD");
  };
}

function firstOf(routes: readonly Route[], otherwise: RequestHandler): RequestHandler {
  return (request, url, listener) => {
    for (const route of routes) {
      const answer = route(request, url, listener);
      if (answer) return answer;
    }
    return otherwise(request, url, listener);
  };
}

/** Says that the process lives. soketi is asked at `/`, Reverb and Sockudo at `/up`: there too, where the program has nothing. */
function health(prefix: string, ...paths: readonly string[]): Route {
  return getRoute(prefix, paths, () => Response.json({ status: "ok" }, { headers: { "Cache-Control": "no-store" } }));
}

function isApi(path: string, { pathname }: RequestUrl): boolean {
  return pathname.startsWith("/apps/") || (path !== "" && pathname.startsWith(`${path}/apps/`));
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

function notFound({ method }: Request, { pathname }: RequestUrl): Response {
  if (method === "GET" && pusherKeyIn(pathname) !== undefined) return upgradeRequired();
  const message = `There is nothing at ${pathname}. WebSocket clients connect to /app/KEY or to /.`;
  return errorResponse(404, "not_found", message);
}

/** What a handler gets beside the request. Hono has it in `c.env`. */
export interface FetchContext<S = unknown> {
  readonly server: S;
  /** The client's, as the server trusts it. */
  readonly address: string;
  /** Aborted when the server begins to stop: the moment to end an answer that would go on for ever. */
  readonly draining: AbortSignal;
}

/** Answers what none of the server's own routes does. What it throws is logged and answered 500. */
export type FetchHandler<S = unknown> = (request: Request, context: FetchContext<S>) => Awaitable<Response>;
