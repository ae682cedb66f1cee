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
  readonly retryable?: boolean;
  readonly channel?: string;
  readonly maybeExecuted?: boolean;
  readonly retryAfterMs?: number;
  readonly issues?: readonly unknown[];
  readonly cause?: unknown;
}

export class FanfareError extends Error {
  override readonly name = "FanfareError";
  readonly code: ClientErrorCode | (string & {});
  /** Whether the same may succeed later. */
  readonly retryable: boolean;
  readonly channel?: string;
  /** The server may have done it although there was no answer. */
  readonly maybeExecuted?: boolean;
  readonly retryAfterMs?: number;
  /** What contradicts the declaration, where the code is `data_invalid`. */
  readonly issues?: readonly unknown[];

  constructor(code: ClientErrorCode | (string & {}), message: string, details: FanfareErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? false;
    if (details.channel !== undefined) this.channel = details.channel;
    if (details.maybeExecuted !== undefined) this.maybeExecuted = details.maybeExecuted;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
    if (details.issues !== undefined) this.issues = details.issues;
  }
}
