/** How the nodes of the cluster are, and how this one is called. */

import { hostname } from "node:os";
import type { Clock, NodeState } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";

/** Nodes beat once a second: one that is silent for so long is no place to send anybody, even if it may live. */
const SILENT_MS = 3_500;
const FRESH_MS = 1_000;

/** As the engine has it: read again after a second at the earliest. */
export class NodeStates {
  readonly #hub: Pick<Hub, "nodes">;
  readonly #clock: Clock;
  #known: { readonly atMs: number; readonly states: Promise<readonly NodeState[]> } | undefined;

  constructor(hub: Pick<Hub, "nodes">, clock: Clock) {
    this.#hub = hub;
    this.#clock = clock;
  }

  /** Rejects with CommandError `engine_unavailable`. */
  read(): Promise<readonly NodeState[]> {
    const atMs = this.#clock.monotonicMs();
    if (this.#known && atMs - this.#known.atMs < FRESH_MS) return this.#known.states;
    const states = (async () => this.#hub.nodes())();
    this.#known = { atMs, states };
    // The caller gets the error; the next call asks again.
    states.catch(() => {
      this.#known = undefined;
    });
    return states;
  }
}

/** Whether it lives, and its clients need not go. */
export function isInService({ draining, silentMs }: NodeState): boolean {
  return !draining && silentMs <= SILENT_MS;
}

/** Whether clients may be sent to it. */
export function takesClients(state: NodeState): boolean {
  return isInService(state) && !state.unready;
}

/** What a balancer sees as one: a node, or the processes of a server that share its port. */
export function placeOf({ id, portGroup }: Pick<NodeState, "id" | "portGroup">): string {
  return portGroup ?? id;
}

/** How a node is called where people read a list of them. */
export function nodeName(pid = process.pid): string {
  return `${hostname()}:${pid}`;
}

/** Most connections it may have. A process of several that has no clients of its own names no limit; a node that names none has none. */
export function limitOf({ connectionsLimit, portGroup }: NodeState): number {
  return connectionsLimit ?? (portGroup === undefined ? Number.POSITIVE_INFINITY : 0);
}
