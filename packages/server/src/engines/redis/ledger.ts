/** What the cluster counts together, as Redis has it: quotas with their holders, token buckets, keys and numbers. */

import type { Ledger } from "../../domain/ports.ts";
import { holdKey } from "../shared/local-state.ts";
import { unavailable } from "./errors.ts";
import type { NodeMembership } from "./node-membership.ts";
import type { RegistryScripts } from "./registry-scripts.ts";
import { SET_MAX, TAKE_TOKEN } from "./scripts/ledger.ts";
import type { Shard } from "./shard.ts";

export interface LedgerOptions {
  readonly membership: NodeMembership;
  readonly scripts: RegistryScripts;
  shardOf(name: string): Shard;
}

export class RedisLedger implements Ledger {
  readonly #options: LedgerOptions;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  async acquire(quota: string, holder: string, limit: number): Promise<boolean> {
    const { membership, scripts, shardOf } = this.#options;
    const hold = { quota, holder };
    const shard = shardOf(quota);
    try {
      const isAcquired = await membership.write(shard, (writer) => scripts.acquire(writer, hold, limit));
      if (isAcquired) shard.state.holds.set(holdKey(hold), hold);
      return isAcquired;
    } catch (error) {
      shard.state.doubtfulHolds.set(holdKey(hold), hold);
      throw unavailable(error);
    }
  }

  async release(quota: string, holder: string): Promise<void> {
    const { membership, scripts, shardOf } = this.#options;
    const hold = { quota, holder };
    const shard = shardOf(quota);
    shard.state.holds.delete(holdKey(hold));
    try {
      await membership.write(shard, (writer) => scripts.release(writer, hold));
    } catch {
      // It is released as soon as Redis is there again; the caller need not wait for that.
      shard.state.doubtfulHolds.set(holdKey(hold), hold);
    }
  }

  async takeToken(name: string, perSecond: number): Promise<number> {
    const waitMs = await this.#ask(name, ({ commands }) =>
      commands.run(TAKE_TOKEN, { name, perSecond: String(perSecond) }),
    );
    return Number(waitMs) / 1000;
  }

  async setIfAbsent(key: string, ttlMs: number): Promise<boolean> {
    const args = ["1", "NX", "PX", ttlText(ttlMs)];
    return (await this.#ask(key, (shard) => shard.commands.command("SET", [onceKey(shard, key), ...args]))) === "OK";
  }

  async exists(key: string): Promise<boolean> {
    return (await this.#ask(key, (shard) => shard.commands.command("EXISTS", [onceKey(shard, key)]))) === 1;
  }

  async delete(key: string): Promise<void> {
    await this.#ask(key, (shard) => shard.commands.command("DEL", [onceKey(shard, key)]));
  }

  async setMax(name: string, number: number, ttlMs: number): Promise<void> {
    const args = { name, number: String(number), ttl: ttlText(ttlMs) };
    await this.#ask(name, ({ commands }) => commands.run(SET_MAX, args));
  }

  async get(name: string): Promise<number | undefined> {
    const number = await this.#ask(name, ({ commands, root }) => commands.command("GET", [`${root}max:${name}`]));
    return typeof number === "string" ? Number(number) : undefined;
  }

  async #ask(name: string, ask: (shard: Shard) => Promise<unknown>): Promise<unknown> {
    try {
      return await ask(this.#options.shardOf(name));
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function onceKey({ root }: Shard, key: string): string {
  return `${root}once:${key}`;
}

function ttlText(ttlMs: number): string {
  return String(Math.max(1, Math.ceil(ttlMs)));
}
