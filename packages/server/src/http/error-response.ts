/** How every HTTP surface of the server answers with an error: a status, and `{ error, code }` as JSON. */

import { CommandError, type CommandErrorCode, Disconnect, type Reconnect } from "../domain/error.ts";

/** An error that only HTTP knows. Its message is a sentence for the caller. */
export class HttpError extends Error {
  override readonly name: string = "HttpError";
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The status of each error that a command can end with. */
export const COMMAND_STATUS = {
  malformed: 400,
  unknown_command: 404,
  channel_invalid: 400,
  event_invalid: 400,
  event_reserved: 400,
  data_invalid: 400,
  data_too_large: 413,
  user_invalid: 400,
  already_subscribed: 409,
  not_subscribed: 409,
  no_history: 409,
  already_signed_in: 409,
  unauthorized: 401,
  signature_invalid: 401,
  publish_forbidden: 403,
  rate_limited: 429,
  too_many_channels: 403,
  too_many_watched: 403,
  channel_full: 403,
  engine_unavailable: 503,
  issuer_unavailable: 503,
  backend_unavailable: 503,
  internal: 500,
} as const satisfies Record<CommandErrorCode, number>;

const DISCONNECT_STATUS: Readonly<Record<Reconnect, number>> = { never: 403, later: 503, now: 503 };

/** Says when to try again wherever that helps (429 and 503). */
export function errorResponse(
  status: number,
  code: string,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const retry = status === 429 || status === 503 ? { "Retry-After": "1" } : {};
  return Response.json({ error, code }, { status, headers: { ...retry, ...headers } });
}

/** For anything that was thrown. A bug is answered as one, without a word of it. */
export function errorResponseFor(error: unknown, more: Readonly<Record<string, string>> = {}): Response {
  if (!isKnownError(error)) return errorResponse(500, "internal", "Something went wrong on the server.", more);
  const headers = error instanceof HttpError ? error.headers : {};
  return errorResponse(statusOf(error), error.code, error.message, { ...headers, ...more });
}

type KnownError = HttpError | CommandError | Disconnect;

/** Whether it is an answer to the caller; anything else is a bug. */
export function isKnownError(error: unknown): error is KnownError {
  return error instanceof HttpError || error instanceof CommandError || error instanceof Disconnect;
}

export function statusOf(error: KnownError): number {
  if (error instanceof HttpError) return error.status;
  return error instanceof CommandError ? COMMAND_STATUS[error.code] : DISCONNECT_STATUS[error.reconnect];
}

export function methodNotAllowed(...methods: readonly string[]): Response {
  return new Response(null, { status: 405, headers: { Allow: methods.join(", ") } });
}
