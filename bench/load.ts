/** The load generator: a process of its own, whose work is not counted as the server's. */

import { Arrivals } from "./arrivals.ts";
import { type Called, type Calling, type SteadyCalling, trigger, triggerSteadily } from "./callers.ts";
import { type HttpOpening, HttpReaders } from "./http-readers.ts";
import { type Pulsing, pulse } from "./pulses.ts";
import { type Opening, Readers } from "./readers.ts";
import { answerCalls } from "./remote.ts";

/** How long messages were on their way. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
}

export interface Load extends Record<string, (...args: never[]) => unknown> {
  open(opening: Opening): Promise<void>;
  /** Clients that read by HTTP. What arrives at them is counted with what arrives at the others. */
  openHttp(opening: HttpOpening): Promise<void>;
  reset(): void;
  arrived(frames: number, timeoutMs: number): Promise<void>;
  record(messages: number): void;
  delaysMs(publishedAtMs: readonly number[]): Delays;
  echo(template: string, window: number, forMs: number): Promise<number>;
  trigger(calling: Calling): Promise<Called>;
  triggerSteadily(calling: SteadyCalling): Promise<number[]>;
  pulse(pulsing: Pulsing): Promise<number[]>;
  close(): void;
}

if (import.meta.main) {
  const arrivals = new Arrivals();
  const readers = new Readers(arrivals);
  const httpReaders = new HttpReaders(arrivals);
  const load: Load = {
    open: (opening) => readers.open(opening),
    openHttp: (opening) => httpReaders.open(opening),
    reset: () => readers.reset(),
    arrived: (frames, timeoutMs) => arrivals.arrived(frames, timeoutMs),
    record: (messages) => readers.record(messages),
    delaysMs: (publishedAtMs) => {
      const sorted = readers.delaysMs(publishedAtMs);
      const quantile = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
      return { p50: quantile(0.5), p99: quantile(0.99) };
    },
    echo: (template, window, forMs) => readers.echo(template, window, forMs),
    pulse,
    trigger,
    triggerSteadily,
    close: () => {
      readers.close();
      httpReaders.close();
    },
  };
  answerCalls(load);
}
