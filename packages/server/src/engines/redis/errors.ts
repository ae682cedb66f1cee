/** What can go wrong between a node and Redis, by what may be done about it. */

import { CommandError } from "../../domain/error.ts";
import type { EngineHealth } from "../../domain/ports.ts";
import { messageOf } from "../../domain/thrown.ts";
import { NoAnswerError, NotSentError } from "../shared/pending.ts";

/** Redis answered with an error, and did nothing. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
  /** The first word: `OOM`, `READONLY`, `WRONGTYPE`. */
  readonly code: string;

  constructor(message: string) {
    super(message);
    const word = /^[A-Z]+/.exec(message)?.[0] ?? "ERR";
    // What the user may not do is said otherwise where a script does it.
    this.code = word === "ERR" && message.includes("user executing the script can't") ? "NOPERM" : word;
  }

  /** Redis cannot now, and may soon. */
  get isTransient(): boolean {
    return TRANSIENT.has(this.code);
  }

  /** Redis can nothing on this connection, and might on another: it is a replica now, or the slot is elsewhere. */
  get isElsewhere(): boolean {
    return ELSEWHERE.has(this.code);
  }
}

const ELSEWHERE: ReadonlySet<string> = new Set(["READONLY", "MOVED", "ASK", "NOAUTH", "UNKILLABLE"]);
const TRANSIENT: ReadonlySet<string> = new Set([
  ...ELSEWHERE,
  // Scripts are loaded with each connection, so they were flushed since; they are loaded again.
  "NOSCRIPT",
  "LOADING",
  "OOM",
  "MISCONF",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "BUSY",
  "NOREPLICAS",
  "NOPERM",
]);

/** What has to be changed at Redis. */
const MEANINGS: Readonly<Record<string, string>> = {
  OOM: "its memory is full: raise maxmemory, or make room",
  READONLY: "it is a replica, which takes no writes",
  NOPERM: "its access control list does not let this server's user do that",
  NOAUTH: "it wants a password, and this server has none",
  WRONGPASS: "it does not know this server's user, or its password is another",
  MISCONF: "it cannot write to its disk, and takes no writes until it can",
  NOREPLICAS: "too few replicas follow it, and it takes no writes until they do",
};

/** As what Redis refuses something, by an error or by its message: a code and a sentence; undefined where it only cannot be reached. */
export function refusalOf(cause: unknown): { readonly code: string; readonly why: string } | undefined {
  const text = cause instanceof ReplyError ? cause.code : messageOf(cause);
  const [code = ""] = /\b(OOM|READONLY|NOPERM|NOAUTH|WRONGPASS|MISCONF|NOREPLICAS)\b/.exec(text) ?? [];
  const meaning = MEANINGS[code];
  return meaning === undefined ? undefined : { code, why: `Redis refuses: ${meaning} (${code}).` };
}

/** With the code of the refusal, where Redis refuses the connection. */
export function healthOf(health: EngineHealth): EngineHealth {
  const refusal = health.reachable ? undefined : refusalOf(health.why);
  return refusal && !health.reachable ? { ...health, refusal: refusal.code } : health;
}

/** The error for the caller: the engine cannot be reached, or, where Redis found the command wrong, it is a bug. */
export function unavailable(cause: unknown): Error {
  if (cause instanceof Error && !isUnavailable(cause)) return cause;
  const refusal = refusalOf(cause);
  if (refusal) return new CommandError("engine_unavailable", refusal.why);
  return new CommandError("engine_unavailable", "The server cannot reach its Redis just now; try again soon.");
}

/** Whether Redis cannot be reached, or cannot do it just now. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof ReplyError) return error.isTransient;
  return error instanceof NotSentError || error instanceof NoAnswerError;
}
