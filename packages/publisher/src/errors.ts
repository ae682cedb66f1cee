/** The one error that this package throws for what the server answered, or did not answer. */

import type { Issue } from "@fanfare/schema";

export interface PublisherErrorDetails {
  readonly status?: number | undefined;
  readonly code: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly issues?: readonly Issue[];
  readonly cause?: unknown;
}

/**
 * What the server refused, what could not be sent, or what was asked for in a way that cannot work. Branch on `code`; `message` is a
 * sentence for a log.
 *
 * Codes are the server's (`signature_invalid`, `data_too_large`, `rate_limited`, …: docs/protocol/pusher.md, section 5) and these:
 *
 * | code | when |
 * |---|---|
 * | `unreachable` | The request failed: no connection, or it was closed before the answer was complete. |
 * | `timeout` | There was no complete answer within `timeoutMs`. |
 * | `http_error` | The answer is an error without a code, from a proxy for example. |
 * | `answer_invalid` | The answer is not JSON, or a list of nodes that the app's secret did not sign. |
 * | `data_invalid` | An argument cannot be sent or signed, or the data of an event are not as declared; `issues` says where. |
 * | `channel_invalid`, `event_invalid` | The channel, or the event in it, is not declared. |
 * | `encryption_unsupported` | The channel is end-to-end encrypted, which needs the `pusher` package. |
 * | `webhook_invalid` | The request is not a webhook that this app's secret signed. |
 */
export class PublisherError extends Error {
  override readonly name = "PublisherError";
  /** The HTTP status of the answer, or the one to answer with (400, 401); undefined if there was no answer. */
  readonly status: number | undefined;
  readonly code: string;
  /** Whether the same call may succeed later. The publisher has already tried again as often as it was allowed to. */
  readonly retryable: boolean;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** What is not as declared, in the data of an event. */
  readonly issues: readonly Issue[];

  constructor(message: string, details: PublisherErrorDetails) {
    const { status, code, retryable = false, retryAfterMs, issues = [], cause } = details;
    super(message, cause === undefined ? {} : { cause });
    this.status = status;
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    this.issues = issues;
  }
}

/** An argument that cannot be sent or signed. */
export function invalid(message: string): PublisherError {
  return new PublisherError(message, { status: 400, code: "data_invalid" });
}
