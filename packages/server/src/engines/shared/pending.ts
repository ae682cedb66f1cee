/** Promises that wait for an engine's answer, bounded in number, in bytes and in time. Whatever settles one frees its bytes. */

import type { Clock } from "../../domain/ports.ts";

export interface PendingLimits {
  readonly waitMs: number;
  readonly waitBytes: number;
  readonly maxCount?: number;
}

export interface Pending<T> {
  readonly promise: Promise<T>;
  readonly untilMs: number;
  readonly isSettled: boolean;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export class PendingBudget {
  readonly #clock: Clock;
  readonly #limits: PendingLimits;
  #count = 0;
  #bytes = 0;

  constructor(clock: Clock, limits: PendingLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /** Undefined when as much waits as may. */
  open<T>(bytes: number): Pending<T> | undefined {
    const { waitMs, waitBytes, maxCount = Number.POSITIVE_INFINITY } = this.#limits;
    if (this.#count >= maxCount || this.#bytes + bytes > waitBytes) return undefined;
    this.#count++;
    this.#bytes += bytes;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let isSettled = false;
    const once =
      <V>(settle: (value: V) => void) =>
      (value: V) => {
        if (isSettled) return;
        isSettled = true;
        this.#count--;
        this.#bytes -= bytes;
        settle(value);
      };
    return {
      promise,
      untilMs: this.#clock.monotonicMs() + waitMs,
      get isSettled() {
        return isSettled;
      },
      resolve: once(resolve),
      reject: once(reject),
    };
  }
}
