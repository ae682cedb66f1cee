/** What the HTTP API answers: JSON, and refusals with a status, a sentence and a code. */

import { CommandError } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { STATUSES } from "./codes.ts";

/** Naming the status costs Bun two microseconds, a fifteenth of the whole call. */
export function json(body: unknown, status = 200): Response {
  return status === 200 ? Response.json(body) : Response.json(body, { status });
}

export function failure(hub: Hub, error: unknown): Response {
  if (error instanceof CommandError) return problem(STATUSES[error.code], error.code, error.message);
  hub.observe({ type: "failed", error, during: "an HTTP API request" });
  return problem(500, "internal", "Something went wrong on the server.");
}

export function problem(status: number, code: string, message: string): Response {
  const retry = status === 503 || status === 429 ? { headers: { "Retry-After": "1" } } : {};
  return Response.json({ error: message, code }, { status, ...retry });
}

/** Hangs up, so that nobody has to wait for the rest. */
export function bodyTooLarge(most: number): Response {
  const body = { error: `The body is larger than ${most} bytes.`, code: "data_too_large" };
  return Response.json(body, { status: 413, headers: { Connection: "close" } });
}
