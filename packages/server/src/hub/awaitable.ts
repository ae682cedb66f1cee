/** Goes on with a value at once where it is there, later where it is promised: the hot path pays for no promise. */

import type { Awaitable } from "../domain/ports.ts";

export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** As try and finally, of work that may be done at once. */
export function andFinally<T>(work: () => Awaitable<T>, end: () => Awaitable<void>): Awaitable<T> {
  let value: Awaitable<T>;
  try {
    value = work();
  } catch (error) {
    return andThen(end(), () => {
      throw error;
    });
  }
  return value instanceof Promise ? value.finally(end) : andThen(end(), () => value);
}
