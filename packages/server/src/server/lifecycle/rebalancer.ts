/**
 * Fills a cluster evenly: a node that has more connections than its even share asks as many as are too much to come back, those
 * that miss nothing by it. In rounds: what the nodes have is asked anew before each, so that two of them do not undo each other's
 * work, and every node lets go only of its own surplus.
 */

import type { Logger } from "pino";
import type { Config } from "../../config/schema/schema.ts";
import { isEngineAway } from "../../domain/error.ts";
import type { ClusterShares } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { answerShares, type NodeShare, sharesOf } from "../cluster/cluster-shares.ts";
import { disconnectGradually } from "./drain-controller.ts";

export interface RebalancerOptions {
  readonly nodeId: string;
  readonly hub: Hub;
  readonly log: Logger;
  readonly settings: Config["cluster"];
  readonly isDraining: () => boolean;
  /** So many connections were asked to come back. */
  readonly asked: (count: number) => void;
}

interface Run {
  /** How many were asked. */
  asked: number;
  /** Rounds one after the other in which there was nothing to do here. */
  idle: number;
  /** Rounds one after the other that brought next to nothing. */
  fruitless: number;
  /** What this node had too many before the last round, and how many it asked in it. */
  last: { readonly surplus: number; readonly asked: number } | undefined;
}

/** As much of its surplus a node asks in one round as it may in this time. */
const ROUND_S = 10;
/** By then the clients of a round are back: they wait for up to a second, pusher-js for one more, and then they sign in. */
const PAUSE_MS = 4_000;
/** While other nodes have too many, some of theirs may come here. */
const MOST_IDLE = 15;
/** A round that takes less than this part of those it asked off the surplus is fruitless. */
const FRUITFUL = 0.1;
const MOST_FRUITLESS = 2;
/** Counting those that may go means looking at every channel of each. */
const COUNT_EVERY_MS = 1_000;

export class Rebalancer {
  readonly #options: RebalancerOptions;
  readonly #stopped = new AbortController();
  /** Those of a reloaded configuration take the place of the first ones. */
  settings: Config["cluster"];
  #run: Run | undefined;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #isBusy = false;
  #counted = { atMs: Number.NEGATIVE_INFINITY, movable: 0 };

  constructor(options: RebalancerOptions) {
    this.#options = options;
    this.settings = options.settings;
    answerShares(
      options.hub,
      () => this.#share(),
      () => this.#begin(0),
    );
  }

  /** A node has joined. */
  nodeJoined(): void {
    if (this.settings.rebalance === "on-join") this.#begin(this.settings.rebalanceDelayS * 1000);
  }

  /** Call it every second. */
  tick(nowMs: number): void {
    if (nowMs < this.#dueAtMs || this.#isBusy || !this.#run) return;
    if (this.#options.isDraining()) return this.#end();
    this.#isBusy = true;
    void this.#tryRound(this.#run).finally(() => {
      this.#isBusy = false;
    });
  }

  stop(): void {
    this.#end();
    this.#stopped.abort();
    this.#options.hub.relocations.stop();
  }

  #begin(delayMs: number): void {
    this.#run = { asked: this.#run?.asked ?? 0, idle: 0, fruitless: 0, last: undefined };
    this.#dueAtMs = this.#nowMs + delayMs;
  }

  #end(): void {
    this.#run = undefined;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
  }

  async #tryRound(run: Run): Promise<void> {
    this.#dueAtMs = this.#nowMs + Math.min(PAUSE_MS, this.#withinMs);
    try {
      await this.#round(run);
    } catch (error) {
      // Counts that are not known are asked again.
      if (isEngineAway(error)) return;
      this.#options.hub.observe({ type: "failed", error, during: "spreading connections over the nodes" });
      this.#end();
    }
  }

  async #round(run: Run): Promise<void> {
    const { hub, nodeId } = this.#options;
    const { own: surplus, isEven, ...shares } = await sharesOf(hub, nodeId);
    // Begun anew, or ended, while the others were asked.
    if (run !== this.#run) return;
    if (isEven) return this.#endEven(run, shares.connections);
    if (isFruitless(run, surplus)) return this.#giveUp(run, surplus);
    if (surplus > 0 && run.asked === 0) this.#logBegin(surplus, shares);
    const asked = surplus === 0 ? 0 : await this.#ask(Math.min(surplus, this.settings.rebalancePerS * ROUND_S));
    if (run !== this.#run) return;
    run.asked += asked;
    run.last = asked > 0 ? { surplus, asked } : undefined;
    run.idle = asked > 0 ? 0 : run.idle + 1;
    if (run.idle >= MOST_IDLE) return this.#end();
    this.#dueAtMs = this.#nowMs + Math.min(PAUSE_MS, this.#withinMs);
  }

  /** How many were asked. */
  async #ask(count: number): Promise<number> {
    const { hub } = this.#options;
    const { rebalancePerS } = this.settings;
    let asked = 0;
    await disconnectGradually({
      connections: hub.relocations.candidates(this.#withinMs).slice(0, count),
      disconnect: (connection, { afterMs = 0 }) => {
        if (!hub.relocations.ask(connection, afterMs, this.#withinMs)) return;
        asked++;
        this.#options.asked(1);
      },
      spreadMs: (count / rebalancePerS) * 1000,
      fewest: 1,
      clock: hub.clock,
      pause: (ms) => Bun.sleep(Math.max(ms, 1000 / rebalancePerS)),
      signal: this.#stopped.signal,
    });
    return asked;
  }

  #logBegin(surplus: number, { nodes, connections, movable }: Omit<ClusterShares, "isEven">): void {
    const about = { nodes, connections, movable, here: this.#options.hub.connectionCount, surplus };
    this.#options.log.info(about, "this node has more connections than its even share: it asks some to come back");
  }

  #endEven({ asked }: Run, connections: number): void {
    if (asked > 0) this.#options.log.info({ asked, connections }, "the nodes are evenly filled");
    this.#end();
  }

  #giveUp({ asked }: Run, surplus: number): void {
    const { log } = this.#options;
    log.warn(
      { asked, surplus },
      "clients that were asked to come back came to nodes that have too many already, so no more are asked: the balancer has to know every node, choose the one with the least connections, and bind no client to a node",
    );
    this.#end();
  }

  #share(): NodeShare {
    const { nodeId: id, hub } = this.#options;
    const { connectionCount: connections, relocations } = hub;
    if (this.#nowMs - this.#counted.atMs >= COUNT_EVERY_MS) {
      this.#counted = { atMs: this.#nowMs, movable: relocations.candidates(this.#withinMs).length };
    }
    const movable = Math.min(connections, this.#counted.movable);
    return { id, connections, movable, onTheWay: relocations.onTheWay };
  }

  /** How long a client may be away. */
  get #withinMs(): number {
    return this.settings.rebalanceHoldS * 1000;
  }

  get #nowMs(): number {
    return this.#options.hub.clock.monotonicMs();
  }
}

/** Whether that was one fruitless round too many. */
function isFruitless(run: Run, surplus: number): boolean {
  if (!run.last) return false;
  const isFruitful = run.last.surplus - surplus >= run.last.asked * FRUITFUL;
  run.fruitless = isFruitful ? 0 : run.fruitless + 1;
  return run.fruitless >= MOST_FRUITLESS;
}
