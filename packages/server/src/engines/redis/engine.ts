/** The engine for several nodes: what they have in common is in Redis. */

import type { Clock, Engine, EngineHealth, EngineHost, NodeState } from "../../domain/ports.ts";
import { RedisBroker } from "./broker.ts";
import { createConnector, shardCount } from "./connect.ts";
import type { Connector } from "./connector.ts";
import { unavailable } from "./errors.ts";
import { EvictionCheck } from "./eviction-check.ts";
import { Keys } from "./keys.ts";
import { RedisLedger } from "./ledger.ts";
import { LocalState } from "./local-state.ts";
import { NodeMembership } from "./node-membership.ts";
import { RedisRegistry } from "./registry.ts";
import { RegistryScripts } from "./registry-scripts.ts";
import type { RedisSettings } from "./settings.ts";
import { Shard } from "./shard.ts";

/** What is no publication is told of this often at most. */
const GARBAGE_EVERY_MS = 1_000;
const LEASE_MS = 86_400_000;
/** How long what is still on its way may hold up the end. */
const SETTLE_MS = 1_000;
/** Whoever stops does not wait longer than this for Redis. */
const CLOSE_WITHIN_MS = 5_000;

/** `warn` is told, once, what whoever runs Redis should change. */
export function redisEngine(settings: RedisSettings, clock: Clock, warn?: (sentence: string) => void): Engine {
  return new RedisEngine(settings, clock, warn);
}

class RedisEngine implements Engine {
  readonly name = "redis";
  readonly broker: RedisBroker;
  readonly registry: RedisRegistry;
  readonly ledger: RedisLedger;
  readonly #clock: Clock;
  readonly #dialer: Connector;
  readonly #buckets: readonly Shard[];
  readonly #life: NodeMembership;
  readonly #eviction: EvictionCheck;
  #host: EngineHost | undefined;
  #garbage = 0;
  #garbageToldAtMs = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | undefined;

  constructor(settings: RedisSettings, clock: Clock, warn: (sentence: string) => void = () => {}) {
    this.#clock = clock;
    this.#eviction = new EvictionCheck(warn);
    const keys = new Keys(settings, shardCount(settings));
    this.#dialer = createConnector(settings, keys);
    const publishCommand = this.#dialer.sharded ? "SPUBLISH" : "PUBLISH";
    const parts = { dialer: this.#dialer, keys, settings, clock, load: { bytes: 0 } };
    const bucket = (index: number) => this.#bucket(index);
    this.#buckets = Array.from({ length: keys.buckets }, (_, index) => this.#newBucket(index, parts));
    const mirror = new LocalState(keys);
    const { nodeTimeoutMs, leaseMs = LEASE_MS } = settings;
    const writes = new RegistryScripts(keys, publishCommand, leaseMs);
    const lost = (index: number) => this.#interrupted(index);
    this.#life = new NodeMembership({
      clock,
      mirror,
      writes,
      nodeTimeoutMs,
      leaseMs,
      bucket,
      buckets: keys.buckets,
      lost,
    });
    this.broker = new RedisBroker(keys, (place) => bucket(keys.shardOf(place)), publishCommand);
    this.registry = new RedisRegistry({ keys, mirror, life: this.#life, writes, bucket });
    this.ledger = new RedisLedger({ keys, mirror, life: this.#life, writes, bucket });
  }

  async start(host: EngineHost): Promise<void> {
    this.#host = host;
    this.#life.start(host);
    await Promise.all(this.#buckets.map((bucket) => bucket.start()));
  }

  health(): EngineHealth {
    const all = this.#buckets.map((bucket) => bucket.health);
    return all.find(({ reachable }) => !reachable) ?? { reachable: true };
  }

  async nodes(): Promise<readonly NodeState[]> {
    try {
      return await this.#life.nodes();
    } catch (error) {
      throw unavailable(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // The last connections have only just left, which the other nodes are told.
    const untilMs = this.#clock.monotonicMs() + SETTLE_MS;
    do await Bun.sleep(1);
    while (this.#buckets.some(({ isBusy }) => isBusy) && this.#clock.monotonicMs() < untilMs);
    for (const bucket of this.#buckets) bucket.stopPublishing();
    const ended = this.#life.leave().catch((error) => this.#host?.failed(error, "taking back this node's rows"));
    await Promise.race([ended, Bun.sleep(CLOSE_WITHIN_MS)]);
    for (const bucket of this.#buckets) bucket.close();
    this.#dialer.close();
    this.#host = undefined;
  }

  #newBucket(index: number, parts: ConstructorParameters<typeof Shard>[1]): Shard {
    return new Shard(index, parts, {
      receive: (publication) => this.#host?.receive(publication),
      interrupted: () => this.#interrupted(index),
      malformed: (error) => this.#tellGarbage(error),
      connected: async (bucket, send) => {
        await this.#life.connected(bucket, send);
        void this.#eviction.run(this.#bucket(bucket).commands);
      },
    });
  }

  #bucket(index: number): Shard {
    const bucket = this.#buckets[index];
    if (!bucket) throw new Error(`There is no bucket ${index}.`);
    return bucket;
  }

  #interrupted(index: number): void {
    if (this.#buckets.length === 1) this.#host?.interrupted();
    else this.#host?.interrupted(this.#bucket(index).subscriber.channels);
  }

  #tellGarbage(error: unknown): void {
    this.#garbage++;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#garbageToldAtMs < GARBAGE_EVERY_MS) return;
    this.#garbageToldAtMs = nowMs;
    const why = error instanceof Error ? error.message : String(error);
    const said = new Error(`${this.#garbage} messages on this server's subjects are no publications; the last: ${why}`);
    this.#garbage = 0;
    this.#host?.failed(said, "reading what Redis carries");
  }
}
