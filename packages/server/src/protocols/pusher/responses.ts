/** What the HTTP API answers: JSON, and refusals with a status, a sentence and a code. */

import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { STATUSES } from "./error-codes.ts";

/** Naming the status costs Bun two microseconds, a fifteenth of the whole call. */
export function json(body: unknown, status = 200): Response {
  return status === 200 ? Response.json(body) : Response.json(body, { status });
}

/** A refusal that only the HTTP API knows; whatever else it refuses is a CommandError. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A call as it comes in, and what is known of it so far. */
export interface IncomingApiRequest {
  readonly request: Request;
  readonly url: URL;
  /** Looks the caller's address up. */
  readonly from: () => string;
  app?: App;
  body?: Uint8Array;
}

/** Answers what went wrong with a call, and lets everybody who has to mend it know. */
export function errorResponse(
  hub: Hub,
  { request, url, from, app, body }: IncomingApiRequest,
  error: unknown,
): Response {
  if (!(error instanceof CommandError || error instanceof ApiError)) {
    hub.observe({ type: "failed", error, during: "an HTTP API request" });
    return problem(500, "internal", "Something went wrong on the server.");
  }
  const status = error instanceof ApiError ? error.status : STATUSES[error.code];
  const { method } = request;
  const path = url.pathname + url.search;
  const known = { ...(app && { app }), ...(body && { body }) };
  hub.observe({ type: "api-refused", error, status, method, path, address: from(), ...known });
  return problem(status, error.code, error.message, status === 413 && body === undefined);
}

/** `hangsUp` where the rest of the body was not read, so that nobody has to wait for it. */
function problem(status: number, code: string, message: string, hangsUp = false): Response {
  const headers = {
    ...((status === 503 || status === 429) && { "Retry-After": "1" }),
    ...(hangsUp && { Connection: "close" }),
  };
  return Response.json({ error: message, code }, { status, headers });
}
