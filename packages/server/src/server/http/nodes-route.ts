/** `/nodes`: where a client that has not connected yet should go. For everybody; back ends that are handed it check its signature. */

import { CommandError } from "../../domain/error.ts";
import type { AppStore } from "../../domain/ports.ts";
import { STATUSES } from "../../protocols/pusher/error-codes.ts";
import type { NodeLister } from "../cluster/node-list.ts";
import { errorResponse, internalError } from "./error-response.ts";
import type { Route } from "./router.ts";

export interface NodesRouteOptions {
  /** In front of every path. */
  readonly path: string;
  /** Where clients reach this node. Without it nothing answers here, and the path is the program's. */
  readonly nodeUrl: string | undefined;
  readonly apps: AppStore;
  /** Key of the app that is meant where none is named. */
  readonly defaultKey: string;
  readonly lister: NodeLister;
  readonly failed: (error: unknown, during: string) => void;
}

/** Pages of other origins may read it: it is public, and says nothing of who asks. */
const HEADERS = { "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*" };

export function nodesRoute(options: NodesRouteOptions): Route {
  const { path, nodeUrl } = options;
  return ({ method }, { pathname, searchParams }) => {
    if (nodeUrl === undefined || (pathname !== "/nodes" && pathname !== `${path}/nodes`)) return undefined;
    if (method !== "GET" && method !== "HEAD") {
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    }
    return listNodes(options, searchParams);
  };
}

async function listNodes({ apps, defaultKey, lister, failed }: NodesRouteOptions, query: URLSearchParams) {
  try {
    const app = await apps.byKey(query.get("app") ?? defaultKey);
    if (!app) return errorResponse(404, "app_unknown", "There is no app with this key.", HEADERS);
    if (!app.enabled) return errorResponse(403, "app_disabled", "The app is disabled.", HEADERS);
    return Response.json(await lister.list(app, query.get("strategy")), { headers: HEADERS });
  } catch (error) {
    if (!(error instanceof CommandError)) {
      failed(error, "listing nodes");
      return internalError();
    }
    const status = STATUSES[error.code];
    return errorResponse(status, error.code, error.message, {
      ...HEADERS,
      ...(status === 503 && { "Retry-After": "1" }),
    });
  }
}
