/** What is said in HTTP where nothing else is: refused handshakes, and requests that come to nothing. */

import { CommandError, Disconnect, type Reconnect } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { STATUSES } from "../../protocols/pusher/error-codes.ts";
import { ApiError, errorResponse } from "../../protocols/pusher/responses.ts";
import type { Caller } from "./address.ts";

export function problem(
  status: number,
  code: string,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error, code }, { status, headers });
}

/** Said in HTTP: who floods is not worth a WebSocket, and clients take a refused handshake for a reason to try later. */
export function tooMany(hub: Hub, { address }: Caller, waitS: number, error: string): Response {
  hub.observe({ type: "rejected", address, why: new Disconnect("flooded", error) });
  return problem(429, "flooded", error, { "Retry-After": String(waitS) });
}

export function forbidden(
  hub: Hub,
  request: Request,
  url: URL,
  { address }: Caller,
  isHandshake: boolean,
  why: string,
): Response {
  const error = new ApiError(403, "forbidden", why);
  if (!isHandshake) return errorResponse(hub, { request, url, from: () => address }, error);
  hub.observe({ type: "rejected", address, why: new Disconnect("unauthorized", error.message) });
  return problem(403, "forbidden", error.message);
}

export function badRequest(error: string): Response {
  return problem(400, "malformed", error);
}

export function unavailable(): Response {
  return problem(503, "shutdown", "The server is shutting down; connect again.", { "Retry-After": "1" });
}

export function internalError(): Response {
  return problem(500, "internal", "Something went wrong on the server.");
}

/** What was thrown, where it is told in HTTP; a bug is told as such, and no more of it. */
export function refusal(error: unknown): Response {
  if (error instanceof CommandError) return withPatience(STATUSES[error.code], error);
  if (error instanceof Disconnect) return withPatience(FAREWELLS[error.reconnect], error);
  return internalError();
}

const FAREWELLS: Readonly<Record<Reconnect, number>> = { never: 403, later: 503, now: 503 };

function withPatience(status: number, { code, message }: CommandError | Disconnect): Response {
  return problem(status, code, message, status === 429 || status === 503 ? { "Retry-After": "1" } : {});
}
