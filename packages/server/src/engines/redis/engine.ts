/** The engine for several nodes: what they have in common is in Redis. */

import type { Clock, Engine, EngineHealth, EngineHost, NodeState } from "../../domain/ports.ts";
import { messageOf } from "../../domain/thrown.ts";
import { PendingBudget } from "../shared/pending.ts";
import { RedisBroker } from "./broker.ts";
import { commandsOf, createConnector, shardCount } from "./connector.ts";
import { unavailable } from "./errors.ts";
import { Keys } from "./keys.ts";
import { RedisLedger } from "./ledger.ts";
import { NodeMembership } from "./node-membership.ts";
import { RedisRegistry } from "./registry.ts";
import { RegistryScripts } from "./registry-scripts.ts";
import type { RedisSettings } from "./settings.ts";
import { Shard } from "./shard.ts";

/** Malformed messages are reported this often at most. */
const REPORT_MALFORMED_EVERY_MS = 1_000;
const LEASE_MS = 86_400_000;
const WANTED_POLICY = "noeviction";
/** How long what is still on its way may delay the end. */
const SETTLE_MS = 1_000;
/** A node that stops does not wait longer than this for Redis. */
const CLOSE_WITHIN_MS = 5_000;

/** `warn` is called, once, with what should be changed at Redis. */
export function redisEngine(settings: RedisSettings, clock: Clock, warn?: (sentence: string) => void): Engine {
  return new RedisEngine(settings, clock, warn);
}

class RedisEngine implements Engine {
  readonly name = "redis";
  readonly broker: RedisBroker;
  readonly registry: RedisRegistry;
  readonly ledger: RedisLedger;
  readonly #clock: Clock;
  readonly #shards: readonly Shard[];
  readonly #membership: NodeMembership;
  readonly #warn: (sentence: string) => void;
  #hasWarned = false;
  #host: EngineHost | undefined;
  #malformed = 0;
  #malformedReportedAtMs = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | undefined;

  constructor(settings: RedisSettings, clock: Clock, warn: (sentence: string) => void = () => {}) {
    this.#clock = clock;
    this.#warn = warn;
    const { nodeTimeoutMs, leaseMs = LEASE_MS, publishWaitMs, publishWaitBytes } = settings;
    const keys = new Keys(settings, shardCount(settings));
    const { publish } = commandsOf(settings);
    const connector = createConnector(settings, keys);
    const queueLimits = new PendingBudget(clock, { waitMs: publishWaitMs, waitBytes: publishWaitBytes });
    const options = { connector, keys, settings, clock, queueLimits };
    const shards = Array.from({ length: keys.shards }, (_, index) => this.#createShard(index, options));
    const shardOf = (name: string) => shards[keys.shardOf(name)] as Shard;
    const scripts = new RegistryScripts(keys, publish, leaseMs);
    const lost = (shard: Shard) => this.#interrupted(shard);
    const membership = new NodeMembership({ clock, scripts, shards, nodeTimeoutMs, leaseMs, lost });
    this.#shards = shards;
    this.#membership = membership;
    this.broker = new RedisBroker(clock, keys, shardOf, publish);
    this.registry = new RedisRegistry({ shards, shardOf, membership, scripts });
    this.ledger = new RedisLedger({ shardOf, membership, scripts });
  }

  async start(host: EngineHost): Promise<void> {
    this.#host = host;
    this.#membership.start(host);
    await Promise.all(this.#shards.map((shard) => shard.start()));
  }

  health(): EngineHealth {
    const all = this.#shards.map((shard) => shard.health);
    return all.find(({ reachable }) => !reachable) ?? { reachable: true };
  }

  async nodes(): Promise<readonly NodeState[]> {
    try {
      return await this.#membership.nodes();
    } catch (error) {
      throw unavailable(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // The last connections have only just left, which the other nodes have to receive.
    const untilMs = this.#clock.monotonicMs() + SETTLE_MS;
    do await Bun.sleep(1);
    while (this.#shards.some(({ isBusy }) => isBusy) && this.#clock.monotonicMs() < untilMs);
    for (const shard of this.#shards) shard.stopPublishing();
    const left = this.#membership.leave().catch((error) => this.#host?.failed(error, "taking back what this node has"));
    await Promise.race([left, Bun.sleep(CLOSE_WITHIN_MS)]);
    for (const shard of this.#shards) shard.close();
    this.#host = undefined;
  }

  #createShard(index: number, options: ConstructorParameters<typeof Shard>[1]): Shard {
    return new Shard(index, options, {
      receive: (publication) => this.#host?.receive(publication),
      interrupted: (shard) => this.#interrupted(shard),
      malformed: (error) => this.#reportMalformed(error),
      connected: async (shard, run) => {
        await this.#membership.connected(shard, run);
        void this.#checkEviction(shard);
      },
    });
  }

  /** Where Redis throws keys away when its memory is full, members would vanish unannounced. Warns once, whichever server it is. */
  async #checkEviction({ commands }: Shard): Promise<void> {
    const info = await commands.command("INFO", ["memory"]).catch(() => "");
    const [, policy = WANTED_POLICY] = /^maxmemory_policy:(\S+)/m.exec(String(info)) ?? [];
    if (policy === WANTED_POLICY || this.#hasWarned) return;
    this.#hasWarned = true;
    const now = `Redis has maxmemory-policy ${policy}: when its memory is full it throws away who is where.`;
    this.#warn(`${now} Set it to ${WANTED_POLICY}.`);
  }

  #interrupted({ subscriber }: Shard): void {
    if (this.#shards.length === 1) this.#host?.interrupted();
    else this.#host?.interrupted(subscriber.channels);
  }

  #reportMalformed(error: unknown): void {
    this.#malformed++;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#malformedReportedAtMs < REPORT_MALFORMED_EVERY_MS) return;
    this.#malformedReportedAtMs = nowMs;
    const messages = `${this.#malformed} messages on this server's subjects are no publications`;
    this.#malformed = 0;
    this.#host?.failed(new Error(`${messages}; the last: ${messageOf(error)}`), "reading what Redis carries");
  }
}
