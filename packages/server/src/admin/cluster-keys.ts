/** Keys that expire, for the whole cluster. While the engine is unavailable, those that this node has set count. */

import type { Ledger } from "../domain/ports.ts";

export type KeyStore = Pick<Ledger, "setIfAbsent" | "exists" | "delete">;

export class ClusterKeys {
  readonly #store: KeyStore;
  /** Until when, by the monotonic clock. */
  readonly #own = new Map<string, number>();

  constructor(store: KeyStore) {
    this.#store = store;
  }

  /** False where the key was set before. `failed` is called where only this node knows of it now. */
  async setIfAbsent(key: string, ttlMs: number, failed?: (error: unknown) => void): Promise<boolean> {
    const isFirstHere = this.#setOwn(key, ttlMs);
    try {
      return (await this.#store.setIfAbsent(key, ttlMs)) && isFirstHere;
    } catch (error) {
      failed?.(error);
      return isFirstHere;
    }
  }

  async exists(key: string): Promise<boolean> {
    if ((this.#own.get(key) ?? 0) > performance.now()) return true;
    try {
      return await this.#store.exists(key);
    } catch {
      return false;
    }
  }

  async delete(key: string): Promise<void> {
    this.#own.delete(key);
    try {
      await this.#store.delete(key);
    } catch {
      // It expires by itself soon enough.
    }
  }

  #setOwn(key: string, ttlMs: number): boolean {
    const nowMs = performance.now();
    for (const [other, untilMs] of this.#own) if (untilMs <= nowMs) this.#own.delete(other);
    if (this.#own.has(key)) return false;
    this.#own.set(key, nowMs + ttlMs);
    return true;
  }
}
