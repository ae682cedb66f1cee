/**
 * A node's life in the cluster. It beats; it finds out that it was taken for dead, or that Redis has lost its data, and writes
 * again what it has; and it takes back what dead nodes had.
 */

import type { Clock, EngineHost, NodeState, PresenceEntry, RegistryChange } from "../../domain/ports.ts";
import { NoAnswerError } from "../shared/errors.ts";
import type { RunScript } from "./command-connection.ts";
import { isUnavailable } from "./errors.ts";
import { LeaseRenewal } from "./lease-renewal.ts";
import { entryKey, type LocalState, type ShardState } from "./local-state.ts";
import { reapNode } from "./node-reaper.ts";
import { parseNodeStates } from "./node-reports.ts";
import { asParts, GONE, type RegistryScripts } from "./registry-scripts.ts";
import { ADD_AS_SILENT, CLAIM, HEARTBEAT, NODES, WITHOUT_HEARTBEAT, WRITERS } from "./scripts.ts";
import type { Shard } from "./shard.ts";

export interface NodeMembershipOptions {
  readonly clock: Clock;
  readonly mirror: LocalState;
  readonly writes: RegistryScripts;
  readonly nodeTimeoutMs: number;
  readonly leaseMs: number;
  bucket(index: number): Shard;
  readonly buckets: number;
  /** Data of this bucket was lost: nobody knows what else was. */
  lost(bucket: number): void;
}

/** At least this often; more often where nodes count as dead sooner. */
const BEAT_EVERY_MS = 1_000;
const BEATS_PER_TIMEOUT = 4;
const TIMEOUTS_PER_SWEEP = 2;
/** Rows and counts that are on their way at a time. */
const BATCH = 500;
/** By then, every node has noticed that data was lost, and written its own again. */
const DEPART_AFTER_MS = 3_000;
const TRIES_TO_REVIVE = 5;

export class NodeMembership {
  readonly #parts: NodeMembershipOptions;
  readonly #epochs: (string | undefined)[] = [];
  readonly #turns = new Map<number, Promise<void>>();
  readonly #departing = new Set<ReturnType<typeof setTimeout>>();
  readonly #inheriting = new Set<string>();
  readonly #beatMs: number;
  readonly #lease: LeaseRenewal;
  #host: EngineHost | undefined;
  #generation = newIncarnation();
  #beating: ReturnType<typeof setInterval> | undefined;
  #sweeping: ReturnType<typeof setInterval> | undefined;
  /** Seen by the last sweep. */
  #silent: ReadonlySet<string> = new Set();
  #isOver = false;

  constructor(parts: NodeMembershipOptions) {
    this.#parts = parts;
    this.#beatMs = Math.min(BEAT_EVERY_MS, parts.nodeTimeoutMs / BEATS_PER_TIMEOUT);
    this.#lease = new LeaseRenewal(parts.clock, parts.leaseMs, this.#beatMs);
  }

  /** As whom the node writes. Another after it was taken for dead. */
  get incarnation(): string {
    return this.#generation;
  }

  start(host: EngineHost): void {
    this.#host = host;
    this.#beating = setInterval(() => this.#beat(), this.#beatMs);
    this.#beating.unref?.();
    const sweep = () => this.#sweep().catch((error) => this.#failed(error, "looking for nodes that nobody knows"));
    this.#sweeping = setInterval(() => void sweep(), this.#parts.nodeTimeoutMs * TIMEOUTS_PER_SWEEP);
    this.#sweeping.unref?.();
  }

  /** The way to the bucket is there, again or for the first time. */
  connected(bucket: number, send: RunScript): Promise<void> {
    return this.#turn(bucket, send);
  }

  /** Does it, and where the node turns out to be gone, does it again when it is back. Throws what the work throws. */
  async runAsMember<T>(
    bucket: number,
    work: (send: RunScript, generation: string) => Promise<T | typeof GONE>,
  ): Promise<T> {
    const send = this.#send(bucket);
    for (let tries = 0; tries < TRIES_TO_REVIVE; tries++) {
      const done = await work(send, this.#generation);
      if (done !== GONE) return done;
      await this.#turn(bucket, send);
    }
    throw new NoAnswerError("Redis forgets this node again and again");
  }

  async nodes(): Promise<readonly NodeState[]> {
    return parseNodeStates(await this.#send(0)(NODES, []));
  }

  report(facts: readonly RegistryChange[]): void {
    if (facts.length > 0) this.#host?.registryChanged(facts);
  }

  /** Takes back all that is this node's, where Redis can be reached. */
  async leave(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#beating);
    clearInterval(this.#sweeping);
    for (const timer of this.#departing) clearTimeout(timer);
    await Promise.all(this.#turns.values()).catch(() => {});
    const reached = Array.from(
      { length: this.#parts.buckets },
      (_, bucket) => this.#parts.bucket(bucket).commands.isUp,
    );
    if (!reached.every(Boolean)) return;
    await this.#inherit(this.#generation, async () => true);
  }

  #send(bucket: number): RunScript {
    return (script, args) => this.#parts.bucket(bucket).commands.eval(script, args);
  }

  #beat(): void {
    for (let bucket = 0; bucket < this.#parts.buckets; bucket++) {
      if (!this.#parts.bucket(bucket).commands.isUp) continue;
      this.#turn(bucket, this.#send(bucket)).catch((error) => this.#failed(error, "a beat"));
    }
  }

  #failed(error: unknown, during: string): void {
    // That Redis is away is seen elsewhere.
    if (!isUnavailable(error)) this.#host?.failed(error, during);
  }

  /**
   * Where one server of a cluster loses its data, and with it who beats, a node may die that nobody has on the list. Those
   * that are missing twice, and may still write somewhere, are put on it.
   */
  async #sweep(): Promise<void> {
    const buckets = Array.from({ length: this.#parts.buckets }, (_, bucket) => bucket);
    const writers = await Promise.all(buckets.map(async (bucket) => asParts(await this.#send(bucket)(WRITERS, []))));
    // Under the empty name is the epoch.
    const all = [...new Set(writers.flat().map(String))].filter((name) => name !== "");
    const silent = all.length === 0 ? [] : asParts(await this.#send(0)(WITHOUT_HEARTBEAT, all)).map(String);
    const orphans = silent.filter((generation) => this.#silent.has(generation));
    this.#silent = new Set(silent);
    if (orphans.length > 0) await this.#send(0)(ADD_AS_SILENT, orphans);
  }

  /** One at a time for each bucket; whoever asks meanwhile is given the one under way. */
  #turn(bucket: number, send: RunScript): Promise<void> {
    const under = this.#turns.get(bucket);
    if (under) return under;
    const turn = this.#check(bucket, send).finally(() => this.#turns.delete(bucket));
    this.#turns.set(bucket, turn);
    return turn;
  }

  async #check(bucket: number, send: RunScript): Promise<void> {
    if (this.#isOver || !this.#host) return;
    const generation = this.#generation;
    const report = bucket === 0 ? JSON.stringify(this.#host.report()) : "";
    const known = this.#epochs[bucket] ?? "";
    const { nodeTimeoutMs, leaseMs } = this.#parts;
    const times = [nodeTimeoutMs, DEPART_AFTER_MS, leaseMs].map(String);
    const answer = await send(HEARTBEAT, [generation, known, crypto.randomUUID(), report, ...times]);
    const [how, epoch, ...overdue] = asParts(answer).map(String);
    // It was reborn by what another bucket said.
    if (generation !== this.#generation) return await this.#check(bucket, send);
    if (how === "reaped") {
      this.#generation = newIncarnation();
      this.#epochs.length = 0;
      return await this.#check(bucket, send);
    }
    this.#epochs[bucket] = epoch;
    if (how === "lost") await this.#afterLoss(bucket, send, "quiet");
    else if (how === "lost long ago") await this.#afterLoss(bucket, send, "announce again");
    else if (how === "new") await this.#writeAgain(bucket, send, "announce");
    else await this.#settleDoubts(bucket, send);
    await this.#lease.renew(bucket, send, generation, this.#parts.mirror.shard(bucket).size);
    for (const dead of overdue) void this.#takeOver(dead);
  }

  /** Comes too late to be quiet where others may have said that its users are gone. */
  async #afterLoss(bucket: number, send: RunScript, how: "quiet" | "announce again"): Promise<void> {
    const share = this.#parts.mirror.shard(bucket);
    share.unsureUntilMs = this.#parts.clock.monotonicMs() + DEPART_AFTER_MS;
    // Nobody heard them leave, and nothing is left that would say so.
    const unheard = [...share.doubtfulEntries.values()].filter(
      ({ row, wasThere }) => wasThere && !share.entries.has(entryKey(row)),
    );
    await this.#writeAgain(bucket, send, how);
    this.#parts.lost(bucket);
    for (const { row } of unheard) this.announceDepartureLater(bucket, row);
  }

  /** Whether data was lost just now, and a user may be somewhere although Redis does not know it yet. */
  isUnsure(bucket: number): boolean {
    return this.#parts.mirror.shard(bucket).unsureUntilMs > this.#parts.clock.monotonicMs();
  }

  /** Says that the user is gone when all nodes have written again what they have, unless it is with one of them. */
  announceDepartureLater(bucket: number, row: PresenceEntry): void {
    const timer = setTimeout(() => {
      this.#departing.delete(timer);
      const departed = this.#parts.writes.announceDeparture(this.#send(bucket), row);
      departed.then(
        (isGone) => isGone && this.report([leftOf(row)]),
        (error) => this.#failed(error, "announcing who left while Redis was away"),
      );
    }, DEPART_AFTER_MS);
    this.#departing.add(timer);
  }

  /** All that the node has in the bucket. */
  async #writeAgain(bucket: number, send: RunScript, how: "announce" | "announce again" | "quiet"): Promise<void> {
    const share = this.#parts.mirror.shard(bucket);
    const { writes } = this.#parts;
    clearDoubts(share);
    share.pendingCounts.clear();
    const generation = this.#generation;
    // Each looks again when its turn comes: somebody may have left meanwhile.
    await inBatches([...share.entries.keys()], async (key) => {
      const row = share.entries.get(key);
      if (!row) return;
      const aloud = how === "quiet" ? "quiet" : "announce";
      const written = await writes.join(send, generation, row, Number.POSITIVE_INFINITY, aloud);
      if (how === "announce" && typeof written === "object" && written.first) this.report([{ type: "joined", ...row }]);
    });
    const counted: RegistryChange[] = [];
    await inBatches([...share.counts.keys()], async (key) => {
      const tally = share.counts.get(key);
      if (!tally) return;
      const change = await writes.setSubscriberCount(send, generation, tally);
      if (how === "announce" && change === "occupied") this.report([{ type: change, ...channelOf(tally) }]);
      // Also in silence: while some had not written again, somebody may have told too few.
      else if (change === "occupied" || change === "counted") counted.push({ type: "counted", ...channelOf(tally) });
    });
    this.report(counted);
    await inBatches([...share.holds.keys()], async (key) => {
      const hold = share.holds.get(key);
      if (hold) await writes.take(send, generation, hold, Number.POSITIVE_INFINITY);
    });
  }

  /** What got no answer is made what it should be; and counts that changed since the last beat are written. */
  async #settleDoubts(bucket: number, send: RunScript): Promise<void> {
    const share = this.#parts.mirror.shard(bucket);
    const { writes } = this.#parts;
    const generation = this.#generation;
    await inBatches([...share.doubtfulEntries], async ([key, { row, wasThere }]) => {
      const isHere = share.entries.has(key);
      const last = isHere ? false : await writes.leave(send, generation, row, "own");
      if (isHere) await writes.join(send, generation, row, Number.POSITIVE_INFINITY, "announce");
      share.doubtfulEntries.delete(key);
      if (last === true && wasThere) this.report([leftOf(row)]);
    });
    await inBatches([...share.doubtfulCounts], async ([key, tally]) => {
      const change = await writes.setSubscriberCount(send, generation, share.counts.get(key) ?? { ...tally, count: 0 });
      share.doubtfulCounts.delete(key);
      // Where it had been written after all, nobody has told the number.
      if (change !== GONE) this.report([{ type: change ?? "counted", ...channelOf(tally) }]);
    });
    await inBatches([...share.doubtfulHolds], async ([key, hold]) => {
      if (!share.holds.has(key)) await writes.giveBack(send, generation, hold);
      share.doubtfulHolds.delete(key);
    });
    await this.writePending(share, send);
  }

  /** Counts between nought and nought, which nobody waits for. */
  async writePending(share: ShardState, send: RunScript): Promise<void> {
    const pending = [...share.pendingCounts];
    share.pendingCounts.clear();
    await Promise.all(
      pending.map(async (key) => {
        const tally = share.counts.get(key);
        if (!tally) return;
        try {
          await this.#parts.writes.setSubscriberCount(send, this.#generation, tally);
        } catch {
          share.doubtfulCounts.set(key, tally);
        }
      }),
    );
  }

  async #takeOver(dead: string): Promise<void> {
    if (dead === this.#generation || this.#inheriting.has(dead) || this.#isOver) return;
    this.#inheriting.add(dead);
    const claim = [dead, this.#generation, String(this.#parts.nodeTimeoutMs), String(this.#parts.nodeTimeoutMs)];
    try {
      await this.#inherit(dead, async () => !this.#isOver && (await this.#send(0)(CLAIM, claim)) === 1);
    } catch (error) {
      this.#failed(error, "taking back what a dead node had");
    } finally {
      this.#inheriting.delete(dead);
    }
  }

  #inherit(generation: string, mayGoOn: () => Promise<boolean>): Promise<boolean> {
    const { buckets, writes } = this.#parts;
    return reapNode({
      incarnation: generation,
      buckets,
      writes,
      send: (bucket) => this.#send(bucket),
      mayContinue: mayGoOn,
      report: (facts) => this.report(facts),
    });
  }
}

function newIncarnation(): string {
  return crypto.randomUUID();
}

function leftOf({ app, channel, member }: { app: string; channel: string; member: { id: string } }): RegistryChange {
  return { type: "left", app, channel, member: { id: member.id } };
}

function channelOf({ app, channel }: { app: string; channel: string }) {
  return { app, channel };
}

function clearDoubts(share: ShardState): void {
  share.doubtfulEntries.clear();
  share.doubtfulCounts.clear();
  share.doubtfulHolds.clear();
}

async function inBatches<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += BATCH) await Promise.all(all.slice(from, from + BATCH).map(work));
}
