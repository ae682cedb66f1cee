/** How full of connections the node is: when it is nearly full, balancers are told to send clients elsewhere, while there is room. */

import type { Logger } from "pino";
import type { NodeState } from "../../domain/ports.ts";
import { limitOf, placeOf, takesClients } from "./node-states.ts";

/** Shares of the limit. Full again only above the first, no longer full only well below it: otherwise readiness would flicker. */
const FULL = 0.95;
const RELIEVED = 0.85;
/** Another node is a place to go to below the first, and no longer one above the second, for the same reason. */
const ROOMY = 0.9;
const CROWDED = FULL;
/** From here on it matters how the others are. */
const NEARLY_FULL = 0.8;

export interface RoomMonitorOptions {
  readonly nodeId: string;
  /** Where processes share the port: what all of them call it. */
  readonly portGroup: string | undefined;
  readonly log: Logger;
  /** How many sockets are open. */
  readonly sockets: () => number;
  /** Most that may be. */
  readonly limit: () => number;
}

interface Load {
  readonly connections: number;
  readonly limit: number;
}

export class RoomMonitor {
  readonly #options: RoomMonitorOptions;
  /** The other processes of this server, and the other places. */
  #siblings: readonly NodeState[] = [];
  #others: readonly Load[] = [];
  #isFull = false;

  constructor(options: RoomMonitorOptions) {
    this.#options = options;
  }

  /** How the nodes are now; none where that is not known. */
  see(states: readonly NodeState[]): void {
    const { nodeId, portGroup } = this.#options;
    const own = placeOf({ id: nodeId, ...(portGroup !== undefined && { portGroup }) });
    const places = new Map<string, NodeState[]>();
    for (const state of states.filter(takesClients)) {
      const name = placeOf(state);
      places.set(name, [...(places.get(name) ?? []), state]);
    }
    this.#siblings = (places.get(own) ?? []).filter(({ id }) => id !== nodeId);
    places.delete(own);
    this.#others = [...places.values()].map(loadOf);
    this.#look();
  }

  /** Of this node, and those that share its port. */
  get load(): Load {
    const { sockets, limit } = this.#options;
    const siblings = this.#siblings.length === 0 ? NOTHING : loadOf(this.#siblings);
    return { connections: sockets() + siblings.connections, limit: limit() + siblings.limit };
  }

  get isNearlyFull(): boolean {
    return isAbove(NEARLY_FULL, this.load);
  }

  /** It has nearly all connections that it may have, and another node has room. */
  get isFull(): boolean {
    this.#look();
    return this.#isFull;
  }

  #look(): void {
    const hasRoom = this.#others.some((other) => !isAbove(this.#isFull ? CROWDED : ROOMY, other));
    const isFull = hasRoom && isAbove(this.#isFull ? RELIEVED : FULL, this.load);
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    const { load } = this;
    const { log } = this.#options;
    if (isFull) log.warn(load, "nearly full: `/ready` answers 503 until there is room again, or nowhere else");
    else log.info(load, "no longer full, or no other node has room: `/ready` answers 200");
  }
}

const NOTHING: Load = { connections: 0, limit: 0 };

function isAbove(share: number, { connections, limit }: Load): boolean {
  return connections >= limit * share;
}

function loadOf(states: readonly NodeState[]): Load {
  return states.reduce(
    (sum, state) => ({ connections: sum.connections + state.connections, limit: sum.limit + limitOf(state) }),
    NOTHING,
  );
}
