/** The options with their defaults. */

import type { Environment } from "./environment.ts";
import { guarded } from "./listeners.ts";
import type { Backoff, QueueLimits, Timeouts } from "./tuning.ts";
import type { ClientOptions, LogEntry } from "./types.ts";

/** What every part of a client is made with. */
export interface Settings {
  readonly environment: Environment;
  readonly options: ClientOptions;
  readonly timeouts: Timeouts;
  readonly queue: QueueLimits;
  readonly lingerMs: number;
  /** The pause before the attempt of that number, counted from 0. */
  backoffMs(attempt: number): number;
  log(level: LogEntry["level"], message: string, details?: Readonly<Record<string, unknown>>): void;
}

const TIMEOUTS: Timeouts = { connectMs: 10_000, pingMs: 30_000, pongMs: 10_000, wakeMs: 5_000, replyMs: 10_000 };
const QUEUE: QueueLimits = { messages: 100, bytes: 1_048_576, ageMs: 240_000 };
const BACKOFF: Backoff = { minMs: 1_000, maxMs: 30_000 };
const LINGER_MS = 500;

export function settingsOf(options: ClientOptions, environment: Environment): Settings {
  const { minMs, maxMs } = { ...BACKOFF, ...options.backoff };
  return {
    environment,
    options,
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    queue: { ...QUEUE, ...options.queue },
    lingerMs: options.lingerMs ?? LINGER_MS,
    backoffMs: (attempt) => Math.min(maxMs, minMs * 2 ** attempt) * (0.5 + environment.random()),
    log: (level, message, details) => {
      if (options.log) guarded(() => options.log?.({ level, message, ...details }));
    },
  };
}
