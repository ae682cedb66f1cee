/** Permission for one channel, asked for by the application's own function. */

import { FanfareError } from "./errors.ts";
import type { Settings } from "./options.ts";
import type { Authorization, Authorize } from "./types.ts";
import { within } from "./waiting.ts";

/** Of all tries of the application together. */
const LONGEST_MS = 60_000;

/** Whatever the function throws may be over the next time, unless it is an error of the client that says otherwise. */
export function askPermission(
  { environment }: Settings,
  authorize: Authorize,
  channel: string,
  connectionId: string,
  signal: AbortSignal,
): Promise<Authorization> {
  const ask = () => authorize(channel, connectionId, signal);
  return within(environment, LONGEST_MS, "Asking for permission", signal, ask).catch((cause) => {
    if (cause instanceof FanfareError && cause.code !== "timeout") throw cause;
    const message = `Permission for ${channel} could not be asked for: ${cause}`;
    throw new FanfareError("authorization_failed", message, { channel, cause, retryable: true });
  });
}

/** Who the client is in a presence channel, by its permission. */
export function memberId(permission: Authorization | undefined): string | undefined {
  if (permission?.channel_data === undefined) return undefined;
  try {
    return String(JSON.parse(permission.channel_data).user_id);
  } catch {
    return undefined;
  }
}
