/** Frames as fixtures have them: what a protocol refuses, and what it is to encode. */

import {
  CommandError,
  type CommandErrorCode,
  type CommandErrorDetails,
} from "../../packages/server/src/domain/error.ts";
import type { Push } from "../../packages/server/src/domain/message.ts";
import type { Frame, Protocol } from "../../packages/server/src/domain/transport.ts";

export interface Refusal {
  readonly code: CommandErrorCode;
  readonly message: string;
  readonly about?: CommandErrorDetails;
  readonly retryAfterMs?: number;
}

export function refusalOf(protocol: Protocol, frame: Frame): CommandError {
  try {
    protocol.decode(frame);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error("It was taken for a command.");
}

/** Errors are values in the fixtures. */
export function pushOf(push: object): Push {
  if (!("error" in push)) return push as Push;
  const { code, message, about, retryAfterMs } = push.error as Refusal;
  const details = { ...about, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return { ...push, error: new CommandError(code, message, details) } as Push;
}
