/** Ordinary HTTP on the same port: health, the API, the page a newcomer sees, and nothing else. */

import type { Api } from "../protocols/pusher/api.ts";

/** Answers a request, or leaves it to the next. */
export type Route = (request: Request, url: URL) => Response | Promise<Response> | undefined;

export function routes(
  path: string,
  api: Api,
  more: readonly Route[],
): (request: Request, url: URL) => Response | Promise<Response> {
  const all: readonly Route[] = [health(path), api, ...more];
  return (request, url) => {
    for (const route of all) {
      const answer = route(request, url);
      if (answer) return answer;
    }
    const error = `There is nothing at ${url.pathname}. WebSocket clients connect to /app/KEY or to /.`;
    return Response.json({ error, code: "not_found" }, { status: 404 });
  };
}

/** Whether the process takes connections. */
function health(path: string): Route {
  return ({ method }, { pathname }) => {
    if (pathname !== "/health" && pathname !== `${path}/health`) return undefined;
    if (method !== "GET" && method !== "HEAD")
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    return Response.json({ status: "ok" }, { headers: { "Cache-Control": "no-store" } });
  };
}
