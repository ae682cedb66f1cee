/** Goes on with a value at once where it is there, later where it is promised: the hot path pays for no promise. */

import type { Awaitable } from "../domain/ports.ts";

export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** One of several steps of something. */
export type Step<T> = (on: T) => Awaitable<void>;

/**
 * The steps one after the other: at once as far as nobody has to be waited for. Made once and not for each thing, they take no closure
 * and no scope of it: a client that comes and goes took 87 closures and scopes, 8 since, and they were most of its garbage.
 */
export function inOrder<T>(steps: readonly Step<T>[], on: T, from = 0): Awaitable<void> {
  for (let at = from; at < steps.length; at++) {
    const done = steps[at]?.(on);
    if (done instanceof Promise) return restInOrder(steps, on, at + 1, done);
  }
}

async function restInOrder<T>(steps: readonly Step<T>[], on: T, from: number, before: Promise<void>): Promise<void> {
  await before;
  return inOrder(steps, on, from);
}
