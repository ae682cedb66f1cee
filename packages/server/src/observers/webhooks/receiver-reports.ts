/** How receivers of webhooks and hooks answered this process lately: the last attempts of each, for the dashboard. */

import { durationClass, type ReceiverReport } from "../../domain/receiver-report.ts";

export interface Attempt {
  readonly app: string;
  /** The address, or `hook:` and the name of a hook. */
  readonly target: string;
  /** Absent where there was no answer, or none that has one. */
  readonly status?: number;
  readonly tookMs: number;
  readonly isTaken: boolean;
}

interface Receiver {
  readonly app: string;
  readonly target: string;
  /** Oldest first. */
  readonly attempts: (Attempt & { readonly atMs: number })[];
  isResting: boolean;
}

/** About 20 KB a receiver. */
const MOST_ATTEMPTS = 200;
/** The one that was quiet for longest goes. */
const MOST_RECEIVERS = 200;
const KEPT_MS = 3_600_000;
const RATE_MS = 300_000;
/** The last hour is told in so many parts. */
const PARTS = 24;

export class ReceiverReports {
  readonly #wallMs: () => number;
  /** Those that were quiet for longest come first. */
  readonly #receivers = new Map<string, Receiver>();

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  attempted(attempt: Attempt): void {
    const { attempts } = this.#of(attempt.app, attempt.target);
    attempts.push({ ...attempt, atMs: this.#wallMs() });
    if (attempts.length > MOST_ATTEMPTS) attempts.shift();
  }

  rested(app: string, target: string, isResting: boolean): void {
    this.#of(app, target).isResting = isResting;
  }

  read(): readonly ReceiverReport[] {
    const nowMs = this.#wallMs();
    return Array.from(this.#receivers.values(), ({ app, target, attempts: all, isResting }) => {
      const attempts = all.filter(({ atMs }) => atMs >= nowMs - KEPT_MS);
      const last = attempts.at(-1);
      const failingSinceMs = attempts[attempts.findLastIndex(({ isTaken }) => isTaken) + 1]?.atMs;
      return {
        ...{ app, target, isResting, attempts: attempts.length, perMinute: perMinute(attempts, nowMs) },
        taken: attempts.filter(({ isTaken }) => isTaken).length,
        durations: durationsOf(attempts),
        lately: lately(attempts, nowMs),
        ...(failingSinceMs !== undefined && { failingSinceMs }),
        ...(last && { lastAtMs: last.atMs }),
        ...(last?.status !== undefined && { lastStatus: last.status }),
      };
    });
  }

  #of(app: string, target: string): Receiver {
    const key = `${app} ${target}`;
    const receiver = this.#receivers.get(key) ?? { app, target, attempts: [], isResting: false };
    this.#receivers.delete(key);
    this.#receivers.set(key, receiver);
    const [quietest] = this.#receivers.keys();
    if (this.#receivers.size > MOST_RECEIVERS && quietest !== undefined) this.#receivers.delete(quietest);
    return receiver;
  }
}

function durationsOf(attempts: readonly Attempt[]): ReceiverReport["durations"] {
  const counts = new Map<number, number>();
  for (const { tookMs } of attempts) counts.set(durationClass(tookMs), (counts.get(durationClass(tookMs)) ?? 0) + 1);
  return [...counts];
}

function lately(attempts: Receiver["attempts"], nowMs: number): ReceiverReport["lately"] {
  const parts = Array.from({ length: PARTS }, (): [number, number] => [0, 0]);
  for (const { atMs, isTaken } of attempts) {
    const part = parts[Math.min(PARTS - 1, Math.floor(((atMs - (nowMs - KEPT_MS)) / KEPT_MS) * PARTS))];
    if (part) part[isTaken ? 0 : 1]++;
  }
  return parts;
}

/** Where more are remembered than the time has, over as long as they took. */
function perMinute(attempts: Receiver["attempts"], nowMs: number): number {
  const recent = attempts.filter(({ atMs }) => atMs >= nowMs - RATE_MS);
  const isCut = recent.length === MOST_ATTEMPTS;
  const overMs = isCut ? Math.max(1_000, nowMs - (recent[0]?.atMs ?? nowMs)) : RATE_MS;
  return (recent.length * 60_000) / overMs;
}
