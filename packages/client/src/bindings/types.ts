/** The options that hooks of every framework take. */

import type { Position } from "../types.ts";

export interface EventOptions {
  /** Calls the listener with what came after this position first. */
  readonly since?: Position;
  /** Calls the listener with all that is kept first, with `meta.replayed`. */
  readonly rewind?: boolean;
}

export interface EventsOptions extends EventOptions {
  /** How many of the newest events are kept. */
  readonly keep: number;
}
