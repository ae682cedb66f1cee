/** The options that hooks of every framework take. */

import type { Rewind } from "../rewind.ts";
import type { Position } from "../types.ts";

export interface EventOptions {
  /** Calls the listener with what came after this position first. */
  readonly since?: Position;
  /** Calls the listener with what is kept first, with `meta.replayed`: all of it, or the last of it. */
  readonly rewind?: boolean | Rewind;
}

export interface EventsOptions extends EventOptions {
  /** How many of the newest events are kept. */
  readonly keep: number;
}
