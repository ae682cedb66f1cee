/** `/nodes`: where a client that has not connected yet should go. For everybody; back ends that are handed it check its signature. */

import type { AppStore } from "../../domain/ports.ts";
import { errorResponse, errorResponseFor, isKnownError } from "../../http/error-response.ts";
import type { NodeLister } from "../cluster/node-list.ts";
import { getRoute, type Route } from "./router.ts";

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
  if (options.nodeUrl === undefined) return () => undefined;
  return getRoute(options.path, "/nodes", (_request, { searchParams }) => listNodes(options, searchParams));
}

async function listNodes({ apps, defaultKey, lister, failed }: NodesRouteOptions, query: URLSearchParams) {
  try {
    const app = await apps.byKey(query.get("app") ?? defaultKey);
    if (!app) return errorResponse(404, "app_unknown", "There is no app with this key.", HEADERS);
    if (!app.enabled) return errorResponse(403, "app_disabled", "The app is disabled.", HEADERS);
    return Response.json(await lister.list(app, query.get("strategy")), { headers: HEADERS });
  } catch (error) {
    if (!isKnownError(error)) failed(error, "listing nodes");
    return errorResponseFor(error, HEADERS);
  }
}
