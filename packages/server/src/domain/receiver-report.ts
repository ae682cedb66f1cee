/** Receivers of webhooks and hooks: what is stored for them, and how they answered a node, as nodes tell each other. */

/** A message to a receiver, on its way or given up. */
export interface StoredDelivery {
  readonly id: number;
  readonly app: string;
  readonly channel: string;
  readonly target: string;
  /** JSON. */
  readonly event: string;
  readonly attempts: number;
  readonly createdAtMs: number;
  readonly lastError?: string;
}

/** How many are stored for one receiver. */
export interface ReceiverBacklog {
  readonly app: string;
  readonly target: string;
  /** "waiting" or "failed". */
  readonly state: string;
  readonly count: number;
}

/** How one receiver answered one node. */
export interface ReceiverReport {
  readonly app: string;
  /** The address; or `hook:` and the name of a hook. */
  readonly target: string;
  /** Requests of the last hour, the last 200 of a node, and how many of them succeeded. */
  readonly attempts: number;
  readonly taken: number;
  /** Requests, over the last five minutes. */
  readonly perMinute: number;
  /** How many attempts took how long: pairs of a class and a count, of `durationClass`. */
  readonly durations: readonly (readonly [durationClass: number, count: number])[];
  readonly lastAtMs?: number;
  /** Absent where there was no answer; of hooks there is none. */
  readonly lastStatus?: number;
  /** Since when every request failed, as far as the last hour goes; absent where the last one succeeded. */
  readonly failingSinceMs?: number;
  /** How many succeeded and how many failed, in each of 24 parts of the last hour, oldest first. Empty where none was made. */
  readonly lately: readonly (readonly [taken: number, failed: number])[];
  /** It is not asked for a while, since it failed too often. */
  readonly isResting: boolean;
}

/** To here a class is a millisecond; later ones are a tenth longer than the one before. */
const EXACT_MS = 20;
const GROWTH = 1.1;

/** Two hundred attempts are a handful of classes, which nodes send each other in place of them. */
export function durationClass(ms: number): number {
  const whole = Math.max(0, Math.round(ms));
  return whole <= EXACT_MS ? whole : EXACT_MS + Math.ceil(Math.log(whole / EXACT_MS) / Math.log(GROWTH));
}

/** The longest of that class, in milliseconds. */
export function longestOf(durationClass: number): number {
  return durationClass <= EXACT_MS ? durationClass : Math.floor(EXACT_MS * GROWTH ** (durationClass - EXACT_MS) + 1e-6);
}
