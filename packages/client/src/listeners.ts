/** Listeners that cannot disturb each other, and values that can be watched. */

import type { Unsubscribe } from "./types.ts";

/** Runs foreign code. What it throws is reported as the runtime reports uncaught errors, and stops nothing. */
export function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else void Promise.reject(error);
  }
}

/** Runs `end` once: when called, disposed of, or when the signal aborts. */
export function unsubscriber(end: () => void, signal?: AbortSignal): Unsubscribe {
  let isOver = false;
  const stop = () => {
    if (isOver) return;
    isOver = true;
    signal?.removeEventListener("abort", stop);
    end();
  };
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop);
  // Older browsers do not have the symbol.
  return Object.assign(stop, { [Symbol.dispose ?? Symbol.for("Symbol.dispose")]: stop }) as Unsubscribe;
}

export class Listeners<Args extends unknown[]> {
  readonly #all = new Set<{ readonly listener: (...args: Args) => void }>();

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** The same function twice is two listeners. */
  add(listener: (...args: Args) => void, signal?: AbortSignal): Unsubscribe {
    const entry = { listener };
    this.#all.add(entry);
    return unsubscriber(() => this.#all.delete(entry), signal);
  }

  /** Those that are added meanwhile are not called, nor those that are removed. */
  emit(...args: Args): void {
    for (const entry of [...this.#all]) if (this.#all.has(entry)) guarded(() => entry.listener(...args));
  }
}

/**
 * A value that is replaced, never changed. Listeners run in a microtask of their own: what they do, `close()` for example, finds the
 * client in order, and several changes are one call.
 */
export class Store<T> {
  value: T;
  readonly #listeners = new Listeners<[]>();
  #isDue = false;

  constructor(value: T) {
    this.value = value;
  }

  set(value: T): void {
    this.value = value;
    this.notify();
  }

  notify(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#listeners.emit();
    });
  }

  readonly subscribe = (onChange: () => void): Unsubscribe => this.#listeners.add(onChange);

  get isEmpty(): boolean {
    return this.#listeners.isEmpty;
  }
}
