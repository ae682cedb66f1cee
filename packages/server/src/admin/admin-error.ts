/** A call of the dashboard's API that failed, answered as `{ error: { code, message } }` with a status that fits. */

import { CommandError } from "../domain/error.ts";
import { BodyTooLargeError } from "../http/body.ts";
import { HttpError } from "../http/error-response.ts";
import type { ErrorBody, ErrorCode } from "./api-types.ts";

const STATUSES: Readonly<Record<ErrorCode, number>> = {
  signed_out: 401,
  credentials_wrong: 401,
  role_too_small: 403,
  foreign_page: 403,
  too_many_attempts: 429,
  not_found: 404,
  method_unknown: 405,
  input_invalid: 400,
  input_too_large: 413,
  conflict: 409,
  not_available: 501,
  unavailable: 503,
  internal: 500,
};

/** The message is a sentence for the person in front of the page. */
export class AdminError extends HttpError {
  override readonly name = "AdminError";
  declare readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(STATUSES[code], code, message, headers);
  }

  get response(): Response {
    const body: ErrorBody = { error: { code: this.code, message: this.message } };
    return Response.json(body, { status: this.status, headers: { ...this.headers } });
  }
}

export function methodUnknown(methods: readonly string[]): AdminError {
  const allowed = methods.join(", ");
  return new AdminError("method_unknown", `Only ${allowed} is possible here.`, { Allow: allowed });
}

/** The server's own errors in the dashboard's words; undefined for anything else, which is a bug. */
export function toAdminError(error: unknown): AdminError | undefined {
  if (error instanceof AdminError) return error;
  if (error instanceof BodyTooLargeError) {
    return new AdminError("input_too_large", `A call has at most ${error.limitBytes} bytes.`, error.headers);
  }
  if (error instanceof HttpError) return new AdminError("input_invalid", error.message);
  if (!(error instanceof CommandError)) return undefined;
  if (error.code === "engine_unavailable") return new AdminError("unavailable", error.message);
  return error.code === "internal" ? undefined : new AdminError("input_invalid", error.message);
}
