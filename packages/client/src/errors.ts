/** The one class of error that the client throws, rejects with and shows in snapshots. */

/** Codes of the client itself; all others are the server's (docs/protocol/native.md, sections 9 and 10). */
export type ClientErrorCode =
  | "timeout"
  | "connection_lost"
  | "not_connected"
  | "queue_full"
  | "queue_expired"
  | "closed"
  | "aborted"
  | "token_unavailable"
  | "authorization_failed"
  | "buffer_full"
  | "unsupported"
  | "data_invalid"
  | "data_too_large";

export interface FanfareErrorDetails {
  readonly retryable?: boolean | undefined;
  readonly channel?: string | undefined;
  readonly maybeExecuted?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly issues?: readonly unknown[] | undefined;
  readonly cause?: unknown;
}

export class FanfareError extends Error {
  override readonly name = "FanfareError";
  declare readonly code: ClientErrorCode | (string & {});
  /** Whether the same may succeed later. */
  declare readonly retryable: boolean;
  declare readonly channel?: string;
  /** The server may have done it although there was no answer. */
  declare readonly maybeExecuted?: boolean;
  declare readonly retryAfterMs?: number;
  /** What contradicts the declaration, where the code is `data_invalid`. */
  declare readonly issues?: readonly unknown[];

  constructor(code: ClientErrorCode | (string & {}), message: string, details: FanfareErrorDetails = {}) {
    super(message);
    Object.assign(this, { code, retryable: false }, details);
  }
}

export function closedError(message = "The client was closed."): FanfareError {
  return new FanfareError("closed", message);
}
