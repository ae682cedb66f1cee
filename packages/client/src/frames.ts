/** The frames of the native protocol, as far as the client knows them (docs/protocol/native.md). */

import { FanfareError } from "./errors.ts";
import type { Position, User } from "./types.ts";

export interface Frame {
  readonly event?: unknown;
  readonly id?: unknown;
  readonly channel?: string;
  // biome-ignore lint/suspicious/noExplicitAny: it is whatever the peer sent; who reads it knows by the name.
  readonly data?: any;
  readonly user?: unknown;
  readonly position?: Position;
  readonly recovered?: boolean;
  readonly rewound?: number;
  readonly complete?: boolean;
  readonly pushed?: boolean;
  readonly traceparent?: string;
  readonly code?: string;
  readonly message?: string;
  readonly retryAfterMs?: number;
  readonly reconnect?: "never" | "later" | "now";
  readonly afterMs?: number;
}

export interface Welcome {
  readonly id: string;
  readonly activityTimeoutS: number;
  readonly maxFrameBytes: number;
  readonly user?: User;
  readonly limits?: {
    readonly eventsPerSecond?: number;
    readonly eventBytes?: number;
    readonly memberUpdatesPerSecond?: number;
  };
  readonly serverTimeMs?: number;
  readonly features?: readonly string[];
  readonly reconnectToken?: string;
}

/** Names of `welcome.features`. */
export const FEATURE = {
  authFrame: "auth-frame",
  history: "history",
  expiring: "token-expiry",
  publishOrder: "publish-order",
} as const;

/** Undefined if it is no frame; a client ignores it then. */
export function parseFrame(text: string): Frame | undefined {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** The name of a frame that is not an event somebody published. */
export function protocolName({ event, pushed }: Frame): string | undefined {
  return typeof event === "string" && !pushed ? event : undefined;
}

const RETRYABLE = new Set([
  "rate_limited",
  "engine_unavailable",
  "issuer_unavailable",
  "backend_unavailable",
  "channel_full",
  "internal",
  "timeout",
  "connection_lost",
]);

export function errorOf({ code = "internal", message = code, channel, retryAfterMs }: Frame): FanfareError {
  return new FanfareError(code, message, {
    retryable: RETRYABLE.has(code),
    channel,
    retryAfterMs,
  });
}

/** Bytes of its UTF-8. */
export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
