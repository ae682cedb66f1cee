/** What this node itself has in the registry, whatever the stream has of it: to write again where it was lost. */

import { CommandError } from "../../domain/error.ts";
import type { PresenceEntry } from "../../domain/ports.ts";
import type { Outcome } from "./picture.ts";

export interface Holding {
  /** The first connection's. */
  readonly row: PresenceEntry;
  readonly most: number;
  readonly joinedAtMs: number;
  readonly connections: Set<string>;
  /** Whether the user is let in at all; every connection of it waits for that. */
  admission: Promise<Outcome>;
  writtenAtMs: number;
}

export interface Tally {
  readonly app: string;
  readonly channel: string;
  count: number;
  writtenAtMs: number;
}

/** Somebody waits for what becomes of a word. */
export interface Waiter {
  /** Undefined until the word is written. */
  n: number | undefined;
  readonly type: "join" | "leave" | "tally";
  readonly app: string;
  readonly channel: string;
  /** Of the member that joins or leaves. */
  readonly user?: string;
  readonly untilMs: number;
  /** Resolves when it is known, or given up. */
  readonly settled: Promise<unknown>;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/** A member's departure, then the count; and whatever came meanwhile, but not for ever. */
const STEPS = 3;

export class Holdings {
  readonly rows = new Map<string, Holding>();
  readonly tallies = new Map<string, Tally>();
  /** Counts that are written with the next beat. */
  readonly pending = new Set<string>();
  /** By key, in the order of their words. */
  readonly #waiting = new Map<string, Waiter[]>();

  wait(key: string, waiter: Waiter): void {
    const waiting = this.#waiting.get(key);
    if (waiting) waiting.push(waiter);
    else this.#waiting.set(key, [waiter]);
  }

  /** Whoever waits for this word, who does not any more then. */
  take(key: string, n: number): Waiter | undefined {
    const waiting = this.#waiting.get(key);
    const at = waiting?.findIndex((waiter) => waiter.n === n) ?? -1;
    if (!waiting || at < 0) return undefined;
    const [waiter] = waiting.splice(at, 1);
    if (waiting.length === 0) this.#waiting.delete(key);
    return waiter;
  }

  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  waiting(key: string): readonly Waiter[] {
    return this.#waiting.get(key) ?? [];
  }

  /** All who wait for the key, who do not any more then. */
  takeAll(key: string): readonly Waiter[] {
    const waiting = this.waiting(key);
    this.#waiting.delete(key);
    return waiting;
  }

  /** Resolves when what is being written now about the app, or its channel, has come back, and what was written next because of it. */
  async written(app: string, channel?: string): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      const all = [...this.#waiting.values()].flat();
      const about = all.filter((each) => each.app === app && (channel === undefined || each.channel === channel));
      if (about.length === 0) return;
      await Promise.all(about.map(({ settled }) => settled));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Everything that this node has, or that somebody waits for. */
  keys(): readonly string[] {
    return [...new Set([...this.rows.keys(), ...this.tallies.keys(), ...this.#waiting.keys()])];
  }

  /** Those who have waited long enough, who do not wait any more then. */
  late(nowMs: number): readonly Waiter[] {
    const late: Waiter[] = [];
    for (const [key, waiting] of this.#waiting) {
      if (waiting.every(({ untilMs }) => untilMs > nowMs)) continue;
      late.push(...waiting.filter(({ untilMs }) => untilMs <= nowMs));
      const rest = waiting.filter(({ untilMs }) => untilMs > nowMs);
      if (rest.length > 0) this.#waiting.set(key, rest);
      else this.#waiting.delete(key);
    }
    return late;
  }
}

export function full(most: number): CommandError {
  return new CommandError(
    "channel_full",
    `The channel has ${most} members, which is as many as it may (presenceMembers).`,
  );
}
