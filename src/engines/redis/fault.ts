/** What can go wrong between a node and Redis, by what one may do about it. */

import { CommandError } from "../../domain/error.ts";

/** It never left this node: nothing has happened. */
export class Unsent extends Error {
  override readonly name = "Unsent";
}

/** It was sent and no answer came: nobody knows whether it happened. */
export class Unanswered extends Error {
  override readonly name = "Unanswered";
}

/** Redis answered with an error, and did nothing. */
export class Refused extends Error {
  override readonly name = "Refused";
  /** The first word: `OOM`, `READONLY`, `WRONGTYPE`. */
  readonly word: string;

  constructor(message: string) {
    super(message);
    this.word = /^[A-Z]+/.exec(message)?.[0] ?? "ERR";
  }

  /** Redis cannot now, and may soon. */
  get passes(): boolean {
    return PASSING.has(this.word);
  }

  /** Redis can nothing on this connection, and might on another: it is a replica now, or the slot is elsewhere. */
  get isElsewhere(): boolean {
    return ELSEWHERE.has(this.word);
  }
}

const ELSEWHERE: ReadonlySet<string> = new Set(["READONLY", "MOVED", "ASK", "NOAUTH", "UNKILLABLE"]);
const PASSING: ReadonlySet<string> = new Set([
  ...ELSEWHERE,
  // Scripts are loaded with each connection, so somebody has flushed them; they are loaded again.
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

/** What the caller is told: that the engine is away, or, where Redis found the command wrong, that it is a bug. */
export function unavailable(cause: unknown): Error {
  if (cause instanceof Error && !isAway(cause)) return cause;
  return new CommandError("engine_unavailable", "The server cannot reach its Redis just now; try again soon.");
}

/** Whether Redis is only away, or cannot just now. */
export function isAway(error: unknown): boolean {
  if (error instanceof Refused) return error.passes;
  return error instanceof Unsent || error instanceof Unanswered;
}
