/** The Pusher HTTP API: what back ends ask and publish. Who calls, whether they may, and which route it is. */

import { CommandError } from "../../domain/error.ts";
import type { AppStore, Clock } from "../../domain/ports.ts";
import { readBody } from "../../http/body.ts";
import { HttpError } from "../../http/error-response.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkUserId } from "../../hub/limits.ts";
import { trigger, triggerBatch, triggerOld } from "./publish-routes.ts";
import { listChannels, listUsers, showChannel, showHistory } from "./query-routes.ts";
import type { ApiCall } from "./request-body.ts";
import { signedPaths, verifyRequest } from "./request-signature.ts";
import { apiErrorResponse, type IncomingApiRequest, json } from "./responses.ts";

export interface ApiOptions {
  readonly hub: Hub;
  readonly apps: AppStore;
  readonly clock: Clock;
  /** The path that a proxy in front of the server takes off. */
  readonly pathPrefix: string;
  readonly signatureWindowS: number;
  readonly jsonDepth: number;
  /** Largest body that is read, in bytes. */
  readonly bodyBytes: number;
  /** The nodes that clients may go to, in the order of the strategy. */
  readonly nodes?: ApiCall["nodes"];
  /** Goes around what a call does, once it is known to be its app's. */
  readonly step?: ((request: Request, path: string, answer: () => Promise<Response>) => Promise<Response>) | undefined;
}

/** Answers a request under `/apps/…`; undefined when the path is not one of the API's. `from` looks the caller's address up. Never throws. */
export type Api = (request: Request, url: URL, from?: () => string) => Promise<Response> | undefined;

const PATH = /^.*?\/apps\/([^/]+)\/(.+)$/;

export function isApiPath(path: string): boolean {
  return PATH.test(path);
}

export function pusherApi(options: ApiOptions): Api {
  return (request, url, from = NOBODY_KNOWS) => {
    const [, id, rest] = PATH.exec(url.pathname) ?? [];
    if (id === undefined || rest === undefined) return undefined;
    const incoming: IncomingApiRequest = { request, url, from };
    return answer(options, incoming, id, rest).catch((error) => apiErrorResponse(options.hub, incoming, error));
  };
}

const NOBODY_KNOWS = () => "unknown";

async function answer(options: ApiOptions, incoming: IncomingApiRequest, id: string, rest: string): Promise<Response> {
  const { request, url } = incoming;
  const found = options.apps.byId(decoded(id));
  const app = found instanceof Promise ? await found : found;
  if (!app) throw new HttpError(404, "app_unknown", "There is no app with this id.");
  incoming.app = app;
  const body = await readBody(request, options.bodyBytes);
  incoming.body = body;
  const paths = signedPaths(url.pathname, options.pathPrefix);
  const signed = { method: request.method, paths, query: url.searchParams, body };
  const call = verifyRequest(app, signed, options.clock.wallMs(), options.signatureWindowS);
  if (!app.enabled) throw new HttpError(403, "app_disabled", "The app is disabled.");
  const { hub, jsonDepth, step } = options;
  for (const guard of hub.guards) {
    const said = guard.apiCall?.(app, call);
    if (said instanceof Promise) await said;
  }
  const { nodes } = options;
  const asked = { app, hub, request, body, query: url.searchParams, jsonDepth, nodes };
  const act = () => route(request.method, rest.split("/").map(decoded), asked);
  if (!step) return act();
  return step(request, url.pathname, () => act().catch((error) => apiErrorResponse(hub, incoming, error)));
}

async function route(method: string, parts: readonly string[], call: ApiCall): Promise<Response> {
  const [first, name = "", last] = parts;
  const pattern = `${method} ${first}${parts.length > 1 ? "/:" : ""}${last === undefined ? "" : `/${last}`}`;
  if (parts.length > 3) throw new HttpError(404, "not_found", "There is nothing at this path.");
  switch (pattern) {
    case "POST events":
      return trigger(call);
    case "POST batch_events":
      return triggerBatch(call);
    case "GET connections":
      return countConnections(call);
    case "GET nodes":
      return listNodes(call);
    case "GET channels":
      return listChannels(call);
    case "GET channels/:":
      return showChannel(call, name);
    case "GET channels/:/history":
      return showHistory(call, name);
    case "GET channels/:/users":
      return listUsers(call, name);
    case "POST users/:/terminate_connections":
      return terminate(call, name);
    case "POST channels/:/events":
      return triggerOld(call, name);
    case "GET channels/:/stats":
      return showChannel({ ...call, query: new URLSearchParams({ info: "subscription_count" }) }, name);
  }
  throw new HttpError(404, "not_found", "There is nothing at this path for this method.");
}

async function countConnections({ hub, app }: ApiCall): Promise<Response> {
  return json({ connections: await hub.clusterConnectionCount(app) });
}

/** Not of the protocol. */
async function listNodes({ app, nodes, query }: ApiCall): Promise<Response> {
  if (!nodes) throw new HttpError(404, "not_found", "This server has no list of nodes.");
  return json(await nodes(app, query.get("strategy")));
}

async function terminate(call: ApiCall, user: string): Promise<Response> {
  checkUserId(call.app, user);
  // Not of the protocol: tokens that were issued before go on counting.
  await call.hub.users.terminate(call.app, user, call.query.get("revoke") !== "false");
  return json({});
}

function decoded(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new CommandError("malformed", "The path has a percent sign that does not encode anything.");
  }
}
