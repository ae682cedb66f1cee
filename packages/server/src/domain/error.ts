/**
 * The one table of refusals and of disconnect reasons. Refusing is not closing: a CommandError answers one command and the
 * connection lives; a Disconnect ends it and says whether to come back. Anything else thrown is a bug.
 */

/** Each refusal: whether it is the caller's rights, rate, size, or plain input that was wrong. */
export const COMMAND_ERRORS = {
  malformed: "input",
  unknown_command: "input",
  channel_invalid: "input",
  event_invalid: "input",
  event_reserved: "input",
  data_invalid: "input",
  data_too_large: "size",
  user_invalid: "input",
  already_subscribed: "state",
  not_subscribed: "state",
  no_history: "state",
  already_signed_in: "state",
  unauthorized: "rights",
  signature_invalid: "rights",
  publish_forbidden: "rights",
  rate_limited: "rate",
  too_many_channels: "limit",
  too_many_watched: "limit",
  channel_full: "limit",
  engine_unavailable: "unavailable",
  issuer_unavailable: "unavailable",
  backend_unavailable: "unavailable",
  internal: "bug",
} as const;

export type CommandErrorCode = keyof typeof COMMAND_ERRORS;

/** What could be read of a frame that is no command, so that its sender knows which one is refused. */
export interface CommandReference {
  readonly ref?: string | number;
  readonly channel?: string;
}

export interface CommandErrorDetails extends CommandReference {
  /** When the same command may be sent again, where a rate was exceeded. */
  readonly retryAfterMs?: number;
  /** The word of the app's back end for it, which clients get in place of the code. */
  readonly ownCode?: string;
  /** For those who run the app, and never for the client. */
  readonly detail?: string;
}

/** Answers one command. The message is a sentence that the sender of the command may read. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: CommandErrorCode;
  readonly about: CommandReference | undefined;
  readonly retryAfterMs: number | undefined;
  readonly ownCode: string | undefined;
  readonly detail: string | undefined;

  constructor(code: CommandErrorCode, message: string, details?: CommandErrorDetails) {
    super(message);
    this.code = code;
    this.about = details;
    this.retryAfterMs = details?.retryAfterMs;
    this.ownCode = details?.ownCode;
    this.detail = details?.detail;
  }
}

/** The engine could not be asked: it is neither the asker's fault nor ours, and may be right again in a moment. */
export function isEngineAway(error: unknown): boolean {
  return error instanceof CommandError && error.code === "engine_unavailable";
}

/** What a client should do after it was closed: give up, come back after a pause, or come back now. */
export type Reconnect = "never" | "later" | "now";

/** Each reason with its reconnect rule. */
export const DISCONNECTS = {
  tls_required: "never",
  app_unknown: "never",
  app_disabled: "never",
  quota_exceeded: "never",
  path_unknown: "never",
  version_malformed: "never",
  protocol_unsupported: "never",
  protocol_missing: "never",
  unauthorized: "never",
  token_invalid: "never",
  token_expired: "never",
  authentication_timeout: "never",
  terminated: "never",
  replaced: "never",
  over_capacity: "later",
  flooded: "later",
  proof_outdated: "later",
  issuer_unavailable: "later",
  engine_unavailable: "later",
  backend_unavailable: "later",
  reconnect_later: "later",
  shutdown: "now",
  reconnect: "now",
  pong_missing: "now",
  inactive: "now",
  internal: "later",
} as const satisfies Record<string, Reconnect>;

export type DisconnectCode = keyof typeof DISCONNECTS;

/** Ends a connection. */
export class Disconnect extends Error {
  override readonly name = "Disconnect";
  readonly code: DisconnectCode;
  /** How long a client should wait before it comes back, in milliseconds: another for each, where many go at once. */
  readonly afterMs: number | undefined;
  /** For those who run the app, and never for the client. */
  readonly detail: string | undefined;

  constructor(code: DisconnectCode, message: string, afterMs?: number, detail?: string) {
    super(message);
    this.code = code;
    this.afterMs = afterMs;
    this.detail = detail;
  }

  get reconnect(): Reconnect {
    return DISCONNECTS[this.code];
  }
}
