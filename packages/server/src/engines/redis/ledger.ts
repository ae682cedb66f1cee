/** What the cluster counts together, as Redis has it: places with their holders, buckets of tokens, keys that were noted. */

import type { Ledger } from "../../domain/ports.ts";
import { unavailable } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { holdKey, type LocalState, type QuotaHold } from "./local-state.ts";
import type { NodeMembership } from "./node-membership.ts";
import type { RegistryScripts } from "./registry-scripts.ts";
import type { Script } from "./script.ts";
import { DELETE, EXISTS, GET, SET_IF_ABSENT, SET_MAX, SPEND } from "./scripts.ts";
import type { Shard } from "./shard.ts";

export interface LedgerOptions {
  readonly keys: Keys;
  readonly mirror: LocalState;
  readonly life: NodeMembership;
  readonly writes: RegistryScripts;
  bucket(index: number): Shard;
}

export class RedisLedger implements Ledger {
  readonly #parts: LedgerOptions;

  constructor(parts: LedgerOptions) {
    this.#parts = parts;
  }

  async acquire(place: string, holder: string, most: number): Promise<boolean> {
    const { life, writes } = this.#parts;
    const hold: QuotaHold = { place, holder };
    const { bucket, share } = this.#at(place);
    try {
      const isTaken = await life.runAsMember(bucket, (send, generation) => writes.take(send, generation, hold, most));
      if (isTaken) share.holds.set(holdKey(hold), hold);
      return isTaken;
    } catch (error) {
      share.doubtfulHolds.set(holdKey(hold), hold);
      throw unavailable(error);
    }
  }

  async release(place: string, holder: string): Promise<void> {
    const { life, writes } = this.#parts;
    const hold: QuotaHold = { place, holder };
    const { bucket, share } = this.#at(place);
    share.holds.delete(holdKey(hold));
    try {
      await life.runAsMember(bucket, (send, generation) => writes.giveBack(send, generation, hold));
    } catch {
      // It is given back as soon as Redis is there again; nobody has to wait for that.
      share.doubtfulHolds.set(holdKey(hold), hold);
    }
  }

  async takeToken(bucket: string, perSecond: number): Promise<number> {
    const waitMs = await this.#ask(bucket, SPEND, [bucket, String(perSecond)]);
    return Number(waitMs) / 1000;
  }

  async setIfAbsent(key: string, ttlMs: number): Promise<boolean> {
    return (await this.#ask(key, SET_IF_ABSENT, [key, String(Math.max(1, Math.ceil(ttlMs)))])) === 1;
  }

  async exists(key: string): Promise<boolean> {
    return (await this.#ask(key, EXISTS, [key])) === 1;
  }

  async delete(key: string): Promise<void> {
    await this.#ask(key, DELETE, [key]);
  }

  async setMax(name: string, to: number, ttlMs: number): Promise<void> {
    await this.#ask(name, SET_MAX, [name, String(to), String(Math.max(1, Math.ceil(ttlMs)))]);
  }

  async get(name: string): Promise<number | undefined> {
    const level = await this.#ask(name, GET, [name]);
    return typeof level === "string" ? Number(level) : undefined;
  }

  async #ask(name: string, script: Script, args: readonly string[]): Promise<unknown> {
    try {
      return await this.#parts.bucket(this.#at(name).bucket).commands.eval(script, args);
    } catch (error) {
      throw unavailable(error);
    }
  }

  #at(name: string) {
    const bucket = this.#parts.keys.shardOf(name);
    return { bucket, share: this.#parts.mirror.shard(bucket) };
  }
}
