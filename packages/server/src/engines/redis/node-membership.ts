/**
 * A node's membership in the cluster. It sends heartbeats; it finds out that it was taken for dead, or that Redis has lost its
 * data, and has written again what it has; and it takes back what dead nodes had.
 */

import type { Clock, EngineHost, NodeReport, NodeState, RegistryChange } from "../../domain/ports.ts";
import { NoAnswerError } from "../shared/pending.ts";
import { asRecord, asString } from "../shared/publication-codec.ts";
import type { RunScript } from "./command-connection.ts";
import { isUnavailable } from "./errors.ts";
import { LeaseRenewal } from "./lease-renewal.ts";
import { reapNode } from "./node-reaper.ts";
import { Reconciler, SETTLED_AFTER_MS } from "./reconciler.ts";
import { asParts, GONE, type RegistryScripts, type Writer } from "./registry-scripts.ts";
import { ADD_AS_OVERDUE, CLAIM, HEARTBEAT, NODES, WITHOUT_HEARTBEAT, WRITERS } from "./scripts/nodes.ts";
import type { Shard } from "./shard.ts";

export interface NodeMembershipOptions {
  readonly clock: Clock;
  readonly scripts: RegistryScripts;
  /** The first one knows which nodes live. */
  readonly shards: readonly Shard[];
  readonly nodeTimeoutMs: number;
  readonly leaseMs: number;
  /** Data of this shard was lost: it is not known what else was. */
  lost(shard: Shard): void;
}

/** At least this often; more often where nodes count as dead sooner. */
const HEARTBEAT_EVERY_MS = 1_000;
const HEARTBEATS_PER_TIMEOUT = 4;
const TIMEOUTS_PER_SWEEP = 2;
const MAX_REVIVALS = 5;

export class NodeMembership {
  readonly reconciler: Reconciler;
  readonly #options: NodeMembershipOptions;
  /** By shard: which dataset this node knows. */
  readonly #datasets = new Map<number, string>();
  /** By shard: the heartbeat under way. */
  readonly #heartbeats = new Map<number, Promise<void>>();
  readonly #reaping = new Set<string>();
  readonly #heartbeatMs: number;
  readonly #lease: LeaseRenewal;
  #host: EngineHost | undefined;
  /** As which this node writes. Another after it was taken for dead. */
  #incarnation: string = crypto.randomUUID();
  #timers: ReturnType<typeof setInterval>[] = [];
  /** Without a heartbeat at the last sweep. */
  #silent: ReadonlySet<string> = new Set();
  #isOver = false;

  constructor(options: NodeMembershipOptions) {
    const { clock, scripts, nodeTimeoutMs, leaseMs } = options;
    this.#options = options;
    this.#heartbeatMs = Math.min(HEARTBEAT_EVERY_MS, nodeTimeoutMs / HEARTBEATS_PER_TIMEOUT);
    this.#lease = new LeaseRenewal(clock, leaseMs, this.#heartbeatMs);
    this.reconciler = new Reconciler({
      clock,
      scripts,
      report: (changes) => this.#report(changes),
      failed: (error, during) => this.#failed(error, during),
      lost: (shard) => options.lost(shard),
    });
  }

  start(host: EngineHost): void {
    this.#host = host;
    const sweep = () => this.#sweep().catch((error) => this.#failed(error, "looking for nodes without a heartbeat"));
    this.#timers = [
      setInterval(() => this.#sendHeartbeats(), this.#heartbeatMs),
      setInterval(() => void sweep(), this.#options.nodeTimeoutMs * TIMEOUTS_PER_SWEEP),
    ];
    for (const timer of this.#timers) timer.unref?.();
  }

  /** The connection to the shard is there, again or for the first time. */
  connected(shard: Shard, run: RunScript): Promise<void> {
    return this.#heartbeat(shard, run);
  }

  writerOf({ commands }: Shard): Writer {
    return { incarnation: this.#incarnation, run: (script, args) => commands.run(script, args) };
  }

  /** Writes it, and where the node turns out to be gone, writes it again when it is back. Throws what the work throws. */
  async write<T>(shard: Shard, work: (writer: Writer) => Promise<T | typeof GONE>): Promise<T> {
    for (let tries = 0; tries < MAX_REVIVALS; tries++) {
      const writer = this.writerOf(shard);
      const done = await work(writer);
      if (done !== GONE) return done;
      await this.#heartbeat(shard, writer.run);
    }
    throw new NoAnswerError("Redis forgets this node again and again");
  }

  async nodes(): Promise<readonly NodeState[]> {
    return parseNodeStates(await this.#firstShard.commands.run(NODES, {}));
  }

  /** Takes back all that is this node's, where Redis can be reached. */
  async leave(): Promise<void> {
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.reconciler.close();
    await Promise.all(this.#heartbeats.values()).catch(() => {});
    if (this.#options.shards.every(({ commands }) => commands.isUp))
      await this.#reap(this.#incarnation, async () => true);
  }

  get #firstShard(): Shard {
    const [first] = this.#options.shards;
    if (!first) throw new Error("There is no shard.");
    return first;
  }

  #sendHeartbeats(): void {
    for (const shard of this.#options.shards) {
      if (!shard.commands.isUp) continue;
      this.#heartbeat(shard, this.writerOf(shard).run).catch((error) => this.#failed(error, "a heartbeat"));
    }
  }

  #report(changes: readonly RegistryChange[]): void {
    if (changes.length > 0) this.#host?.registryChanged(changes);
  }

  #failed(error: unknown, during: string): void {
    // That Redis is away is seen elsewhere.
    if (!isUnavailable(error)) this.#host?.failed(error, during);
  }

  /** One at a time for each shard; who asks meanwhile gets the one under way. */
  #heartbeat(shard: Shard, run: RunScript): Promise<void> {
    const underWay = this.#heartbeats.get(shard.index);
    if (underWay) return underWay;
    const heartbeat = this.#sendHeartbeat(shard, run).finally(() => this.#heartbeats.delete(shard.index));
    this.#heartbeats.set(shard.index, heartbeat);
    return heartbeat;
  }

  async #sendHeartbeat(shard: Shard, run: RunScript): Promise<void> {
    if (this.#isOver || !this.#host) return;
    const { nodeTimeoutMs, leaseMs } = this.#options;
    const writer = { incarnation: this.#incarnation, run };
    const answer = await run(HEARTBEAT, {
      incarnation: writer.incarnation,
      known: this.#datasets.get(shard.index) ?? "",
      newDataset: crypto.randomUUID(),
      report: shard === this.#firstShard ? JSON.stringify(this.#host.report()) : "",
      timeout: String(nodeTimeoutMs),
      longAgo: String(SETTLED_AFTER_MS),
      lease: String(leaseMs),
    });
    const [state = "", dataset = "", ...overdue] = asParts(answer).map(String);
    // Another shard has found meanwhile that it was taken for dead.
    if (writer.incarnation !== this.#incarnation) return await this.#sendHeartbeat(shard, run);
    if (state === "reaped") {
      this.#incarnation = crypto.randomUUID();
      this.#datasets.clear();
      return await this.#sendHeartbeat(shard, run);
    }
    this.#datasets.set(shard.index, dataset);
    await this.#reconcile(shard, writer, state);
    await this.#lease.renew(shard.index, writer, shard.state.size);
    for (const dead of overdue) void this.#takeOver(dead);
  }

  #reconcile(shard: Shard, writer: Writer, state: string): Promise<void> {
    switch (state) {
      case "lost":
        return this.reconciler.afterLoss(shard, writer, false);
      case "lost long ago":
        return this.reconciler.afterLoss(shard, writer, true);
      case "new":
        return this.reconciler.writeAgain(shard, writer, "announce");
      default:
        return this.reconciler.settleDoubts(shard, writer);
    }
  }

  /**
   * Where one server of a cluster loses its data, and with it the heartbeats, a node may die that no other knows of. Those that
   * have no heartbeat twice, and may still write somewhere, are added as overdue.
   */
  async #sweep(): Promise<void> {
    const writers = await Promise.all(this.#options.shards.map(({ commands }) => commands.run(WRITERS, {})));
    const all = [...new Set(writers.flatMap(asParts).map(String))];
    const { commands } = this.#firstShard;
    const answer = all.length === 0 ? [] : await commands.run(WITHOUT_HEARTBEAT, { incarnations: JSON.stringify(all) });
    const silent = asParts(answer).map(String);
    const orphans = silent.filter((incarnation) => this.#silent.has(incarnation));
    this.#silent = new Set(silent);
    if (orphans.length > 0) await commands.run(ADD_AS_OVERDUE, { incarnations: JSON.stringify(orphans) });
  }

  async #takeOver(dead: string): Promise<void> {
    if (dead === this.#incarnation || this.#reaping.has(dead) || this.#isOver) return;
    this.#reaping.add(dead);
    const claim = { dead, reaper: this.#incarnation, timeout: String(this.#options.nodeTimeoutMs) };
    try {
      await this.#reap(dead, async () => !this.#isOver && (await this.#firstShard.commands.run(CLAIM, claim)) === 1);
    } catch (error) {
      this.#failed(error, "taking back what a dead node had");
    } finally {
      this.#reaping.delete(dead);
    }
  }

  #reap(incarnation: string, mayContinue: () => Promise<boolean>): Promise<boolean> {
    const { shards, scripts } = this.#options;
    return reapNode({ incarnation, shards, scripts, mayContinue, report: (changes) => this.#report(changes) });
  }
}

/** What nodes report of themselves, by the answer of the script: other programs may write there, too. */
function parseNodeStates(answer: unknown): readonly NodeState[] {
  const [now, heartbeats, reports] = asParts(answer);
  const reportOf = pairs(reports);
  return [...pairs(heartbeats)].flatMap(([incarnation, atMs]): NodeState[] => {
    const report = parseReport(reportOf.get(incarnation) ?? "");
    return report ? [{ ...report, silentMs: Math.max(0, Number(now) - Number(atMs)) }] : [];
  });
}

function pairs(flat: unknown): ReadonlyMap<string, string> {
  const all = asParts(flat).map(String);
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < all.length; at += 2) found.set(all[at] ?? "", all[at + 1] ?? "");
  return found;
}

function parseReport(text: string): NodeReport | undefined {
  try {
    const { id, name, url, startedAtMs, connections, lagMs, memoryBytes, draining, unready, ...where } = asRecord(
      JSON.parse(text),
    );
    const { connectionsLimit, portGroup } = where;
    return {
      id: asString(id),
      name: asString(name),
      ...(typeof url === "string" && { url }),
      startedAtMs: Number(startedAtMs) || 0,
      connections: Number(connections) || 0,
      lagMs: Number(lagMs) || 0,
      ...(typeof memoryBytes === "number" && { memoryBytes }),
      draining: draining === true,
      ...(unready === true && { unready }),
      ...(typeof connectionsLimit === "number" && { connectionsLimit }),
      ...(typeof portGroup === "string" && { portGroup }),
    };
  } catch {
    return undefined;
  }
}
