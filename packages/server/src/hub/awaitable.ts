/** Goes on with a value at once where it is there, later where it is promised: the hot path pays for no promise. */

import type { Awaitable } from "../domain/ports.ts";

export function andThen<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
