/** Answers that need no look at the request: to addresses that are barred, to floods, and while the server stops. */

import { Disconnect } from "../../domain/error.ts";
import { errorResponse, HttpError } from "../../http/error-response.ts";
import type { Hub } from "../../hub/hub.ts";
import { apiErrorResponse } from "../../protocols/pusher/responses.ts";
import type { Caller } from "./caller.ts";

/** In HTTP: a flood is not worth a WebSocket, and clients take a refused handshake for a reason to try later. */
export function tooManyConnections(hub: Hub, address: string, waitS: number, message: string): Response {
  hub.observe({ type: "rejected", address, why: new Disconnect("flooded", message) });
  return errorResponse(429, "flooded", message, { "Retry-After": String(waitS) });
}

export function addressForbidden(hub: Hub, request: Request, url: URL, { address }: Caller, message: string): Response {
  return apiErrorResponse(hub, { request, url, from: () => address }, new HttpError(403, "forbidden", message));
}

export function handshakeForbidden(hub: Hub, { address }: Caller, message: string): Response {
  hub.observe({ type: "rejected", address, why: new Disconnect("unauthorized", message) });
  return errorResponse(403, "forbidden", message);
}

export function badRequest(message: string): Response {
  return errorResponse(400, "malformed", message);
}

export function shuttingDown(): Response {
  return errorResponse(503, "shutdown", "The server is shutting down; connect again.");
}
