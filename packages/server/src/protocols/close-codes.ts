/** The close code of each disconnect reason: the Pusher protocol's numbers, which the native protocol shares. */

import type { DisconnectCode } from "../domain/error.ts";

/** 4000-4099: do not come back unchanged; 4100-4199: come back later; 4200-4299: come back now. */
export const CLOSE_CODES = {
  tls_required: 4000,
  app_unknown: 4001,
  app_disabled: 4003,
  quota_exceeded: 4004,
  path_unknown: 4005,
  version_malformed: 4006,
  protocol_unsupported: 4007,
  protocol_missing: 4008,
  unauthorized: 4009,
  token_invalid: 4009,
  token_expired: 4009,
  authentication_timeout: 4009,
  terminated: 4009,
  replaced: 4009,
  over_capacity: 4100,
  flooded: 4100,
  proof_outdated: 4100,
  issuer_unavailable: 4100,
  engine_unavailable: 4100,
  backend_unavailable: 4100,
  reconnect_later: 4100,
  internal: 4100,
  shutdown: 4200,
  reconnect: 4200,
  pong_missing: 4201,
  inactive: 4202,
} as const satisfies Record<DisconnectCode, number>;
