/** What is said in HTTP where nothing else is: refused handshakes, and requests that come to nothing. */

import { CommandError, Disconnect, type Reconnect } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { STATUSES } from "../../protocols/pusher/error-codes.ts";
import { ApiError, errorResponse as apiErrorResponse } from "../../protocols/pusher/responses.ts";
import type { Caller } from "./caller.ts";

export function errorResponse(
  status: number,
  code: string,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error, code }, { status, headers });
}

/** Said in HTTP: who floods is not worth a WebSocket, and clients take a refused handshake for a reason to try later. */
export function tooManyConnections(hub: Hub, { address }: Caller, waitS: number, error: string): Response {
  hub.observe({ type: "rejected", address, why: new Disconnect("flooded", error) });
  return errorResponse(429, "flooded", error, { "Retry-After": String(waitS) });
}

export function addressForbidden(
  hub: Hub,
  request: Request,
  url: URL,
  { address }: Caller,
  isHandshake: boolean,
  why: string,
): Response {
  const error = new ApiError(403, "forbidden", why);
  if (!isHandshake) return apiErrorResponse(hub, { request, url, from: () => address }, error);
  hub.observe({ type: "rejected", address, why: new Disconnect("unauthorized", error.message) });
  return errorResponse(403, "forbidden", error.message);
}

export function badRequest(error: string): Response {
  return errorResponse(400, "malformed", error);
}

export function shuttingDown(): Response {
  return errorResponse(503, "shutdown", "The server is shutting down; connect again.", { "Retry-After": "1" });
}

export function internalError(): Response {
  return errorResponse(500, "internal", "Something went wrong on the server.");
}

/** What was thrown, where it is told in HTTP; a bug is told as such, and no more of it. */
export function errorResponseFor(error: unknown): Response {
  if (error instanceof CommandError) return withRetryAfter(STATUSES[error.code], error);
  if (error instanceof Disconnect) return withRetryAfter(STATUS_BY_RECONNECT[error.reconnect], error);
  return internalError();
}

const STATUS_BY_RECONNECT: Readonly<Record<Reconnect, number>> = { never: 403, later: 503, now: 503 };

function withRetryAfter(status: number, { code, message }: CommandError | Disconnect): Response {
  return errorResponse(status, code, message, status === 429 || status === 503 ? { "Retry-After": "1" } : {});
}
