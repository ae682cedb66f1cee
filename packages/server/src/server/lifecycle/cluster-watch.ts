/** Looks at the other nodes of the cluster from time to time: whether one has room while this one is full, and whether one has joined. */

import { isEngineAway } from "../../domain/error.ts";
import type { NodeState } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { isInService, NodeStates } from "../cluster/node-states.ts";
import type { RoomMonitor } from "../cluster/room-monitor.ts";
import type { Rebalancer } from "./rebalancer.ts";

export interface ClusterWatchOptions {
  readonly hub: Hub;
  /** Of the engine. */
  readonly engine: string;
  readonly room: RoomMonitor;
  readonly rebalancer: Rebalancer;
}

/** Engines of one server: there is no other to send clients to. */
const ONE_SERVER = ["memory", "workers"];
const USUALLY_MS = 2_000;
const NEARLY_FULL_MS = 1_000;

export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #states: NodeStates;
  readonly #isAlone: boolean;
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;
  /** Ids of the nodes that take clients; undefined before the first look, which finds nobody new. */
  #known: ReadonlySet<string> | undefined;

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
    this.#states = new NodeStates(options.hub, options.hub.clock);
    this.#isAlone = ONE_SERVER.includes(options.engine);
  }

  /** Call it every second. */
  tick(): void {
    if (this.#isAlone) return;
    const { hub, room, rebalancer } = this.#options;
    const nowMs = hub.clock.monotonicMs();
    rebalancer.tick(nowMs);
    const everyMs = room.isNearlyFull ? NEARLY_FULL_MS : USUALLY_MS;
    // Ticks come a little early or late.
    if (this.#isLooking || nowMs - this.#lookAtMs < everyMs - NEARLY_FULL_MS / 2) return;
    this.#lookAtMs = nowMs;
    this.#isLooking = true;
    void this.#look().finally(() => {
      this.#isLooking = false;
    });
  }

  async #look(): Promise<void> {
    const { hub, room } = this.#options;
    try {
      const states = await this.#states.read();
      room.see(states);
      this.#findJoined(states);
    } catch (error) {
      room.see([]);
      if (!isEngineAway(error)) hub.observe({ type: "failed", error, during: "looking at the other nodes" });
    }
  }

  /** A node that takes clients again after it was drained has joined, too; one that was only silent has not. */
  #findJoined(states: readonly NodeState[]): void {
    const before = this.#known;
    const here = states.filter(isInService).map(({ id }) => id);
    const silent = states.filter(({ id, draining }) => !draining && before?.has(id)).map(({ id }) => id);
    this.#known = new Set([...here, ...silent]);
    if (before && here.some((id) => !before.has(id))) this.#options.rebalancer.nodeJoined();
  }
}
