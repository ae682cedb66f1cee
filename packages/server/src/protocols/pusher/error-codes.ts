/** The protocol's table of numbers: which refusal is which code. Farewells are in ../close-codes.ts. */

import type { CommandErrorCode } from "../../domain/error.ts";

/** Refusals that have a number; every other is told with the code null, and the connection goes on. */
export const ERROR_CODES: Partial<Record<CommandErrorCode, number>> = {
  rate_limited: 4301,
  too_many_watched: 4302,
};

/** HTTP statuses, for the API and for `pusher:subscription_error`. */
export const STATUSES = {
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
  internal: 500,
} as const satisfies Record<CommandErrorCode, number>;
