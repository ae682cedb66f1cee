/** A call that is refused, and how it is told: `{ error: { code, message } }` with a status that fits. */

import { CommandError } from "../domain/error.ts";
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

/** The message is a sentence that whoever calls may read. */
export class AdminError extends Error {
  override readonly name = "Refused";
  readonly code: ErrorCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }

  get response(): Response {
    const body: ErrorBody = { error: { code: this.code, message: this.message } };
    return Response.json(body, { status: STATUSES[this.code], headers: { ...this.headers } });
  }
}

/** What the hub throws, in the dashboard's words; undefined where it is a bug. */
export function toAdminError(error: unknown): AdminError | undefined {
  if (error instanceof AdminError) return error;
  if (!(error instanceof CommandError)) return undefined;
  if (error.code === "engine_unavailable") return new AdminError("unavailable", error.message);
  return error.code === "internal" ? undefined : new AdminError("input_invalid", error.message);
}
