/** The calls of the HTTP API below `/apps/ID`, and what answers each. Names and things take turns in a path: `/channels/{channel}/users`. */

import { HttpError } from "../../http/error-response.ts";
import { purgeHistory, showHistory } from "./history-routes.ts";
import { trigger, triggerBatch, triggerOld } from "./publish-routes.ts";
import { listChannels, listMembers, listUsers, showChannel } from "./query-routes.ts";
import type { ApiCall } from "./request-body.ts";
import { json } from "./responses.ts";
import * as steering from "./steer-routes.ts";

export interface ApiRoute {
  readonly method: "GET" | "POST" | "DELETE";
  /** What is in braces is handed to `handle`, in this order. */
  readonly path: string;
  handle(call: ApiCall, ...names: readonly string[]): Promise<Response>;
}

const API_ROUTES: readonly ApiRoute[] = [
  { method: "POST", path: "/events", handle: trigger },
  { method: "POST", path: "/batch_events", handle: triggerBatch },
  { method: "GET", path: "/connections", handle: steering.connections },
  { method: "GET", path: "/nodes", handle: listNodes },
  { method: "GET", path: "/channels", handle: listChannels },
  { method: "GET", path: "/channels/{channel}", handle: showChannel },
  { method: "GET", path: "/channels/{channel}/history", handle: showHistory },
  { method: "DELETE", path: "/channels/{channel}/history", handle: purgeHistory },
  { method: "DELETE", path: "/channels/{channel}/history/{offset}", handle: purgeHistory },
  { method: "GET", path: "/channels/{channel}/users", handle: listUsers },
  { method: "GET", path: "/channels/{channel}/members", handle: listMembers },
  { method: "POST", path: "/users/{user}/terminate_connections", handle: steering.terminate },
  { method: "POST", path: "/users/{user}/subscribe", handle: steering.subscribeUser },
  { method: "POST", path: "/connections/{connection}/subscribe", handle: steering.subscribeConnection },
  { method: "POST", path: "/users/{user}/unsubscribe", handle: steering.unsubscribeUser },
  { method: "POST", path: "/users/{user}/reconnect", handle: steering.reconnectUser },
  { method: "POST", path: "/connections/{connection}/unsubscribe", handle: steering.unsubscribeConnection },
  { method: "POST", path: "/connections/{connection}/reconnect", handle: steering.reconnectConnection },
  { method: "POST", path: "/connections/{connection}/disconnect", handle: steering.disconnect },
  { method: "POST", path: "/channels/{channel}/kick", handle: steering.kick },
  { method: "POST", path: "/channels/{channel}/unban", handle: steering.unban },
  { method: "POST", path: "/channels/{channel}/reconnect", handle: steering.reconnectChannel },
  { method: "POST", path: "/channels/{channel}/events", handle: triggerOld },
  { method: "GET", path: "/channels/{channel}/stats", handle: showStats },
];

const BY_PATTERN = new Map(API_ROUTES.map((route) => [patternOf(route.method, route.path.split("/").slice(1)), route]));

/** The answer of the route at this path. Throws HttpError where there is none. */
export async function answerRoute(method: string, parts: readonly string[], call: ApiCall): Promise<Response> {
  const route = BY_PATTERN.get(patternOf(method, parts));
  if (!route) throw new HttpError(404, "not_found", "There is nothing at this path for this method.");
  return route.handle(call, ...parts.filter(isName));
}

function patternOf(method: string, parts: readonly string[]): string {
  return `${method} ${parts.map((part, at) => (isName(part, at) ? ":" : part)).join("/")}`;
}

function isName(_part: string, at: number): boolean {
  return at % 2 === 1;
}

/** Not of the protocol. */
async function listNodes({ app, nodes, query }: ApiCall): Promise<Response> {
  if (!nodes) throw new HttpError(404, "not_found", "This server has no list of nodes.");
  return json(await nodes(app, query.get("strategy")));
}

async function showStats(call: ApiCall, channel = ""): Promise<Response> {
  return showChannel({ ...call, query: new URLSearchParams({ info: "subscription_count" }) }, channel);
}
