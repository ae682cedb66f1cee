/** What the nodes of a cluster say to each other of their connections, and what each should have of them. */

import type { ClusterShares, NodeState } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { fieldsOf, numberOf, textOf } from "../../hub/steer-act.ts";
import { isInService, limitOf, placeOf, takesClients } from "./node-states.ts";

/** What one node says. */
export interface NodeShare {
  readonly id: string;
  readonly connections: number;
  readonly movable: number;
  readonly onTheWay: number;
}

interface Shared extends Place {
  readonly nodes: readonly NodeShare[];
}

const TOPIC = "shares";

/** Answers the other nodes. `wanted` is called where they want connections to be spread anew. */
export function answerShares(hub: Pick<Hub, "nodeBus">, share: () => NodeShare, wanted: () => void = () => {}): void {
  hub.nodeBus.handle(TOPIC, (data) => {
    if (fieldsOf(data).isWanted === true) wanted();
    return share();
  });
}

/**
 * How evenly the cluster is filled; `isWanted` has every node ask its surplus to come back elsewhere, whatever its settings. Throws
 * CommandError `engine_unavailable`.
 */
export async function clusterShares(hub: Hub, isWanted: boolean): Promise<ClusterShares> {
  return summaryOf(await readShares(hub, isWanted));
}

/** The same, and how many of them are the node's. */
export async function sharesOf(hub: Hub, id: string): Promise<ClusterShares & { readonly own: number }> {
  const shares = await readShares(hub, false);
  return { ...summaryOf(shares), own: surplusOf(shares, id) };
}

interface Shares {
  readonly places: readonly Shared[];
  readonly even: readonly number[];
  readonly missing: number;
}

async function readShares(hub: Hub, isWanted: boolean): Promise<Shares> {
  const { answers, missing } = await hub.nodeBus.askAll(TOPIC, { isWanted });
  const states = await hub.nodes();
  const places = placesOf(states, answers.map(parseShare));
  return { places, even: evenShares(places), missing };
}

function parseShare(answer: unknown): NodeShare {
  const { id, connections, movable, onTheWay } = fieldsOf(answer);
  return {
    id: textOf(id),
    connections: numberOf(connections),
    movable: numberOf(movable),
    onTheWay: numberOf(onTheWay),
  };
}

/** Nodes that clients leave, or that are gone, have no share. One that did not answer keeps what it has. */
export function placesOf(states: readonly NodeState[], answers: readonly NodeShare[]): readonly Shared[] {
  const found = new Map<string, Shared>();
  for (const state of states.filter(isInService)) {
    const { id, connections } = state;
    const node = answers.find((answer) => answer.id === id) ?? { id, connections, movable: 0, onTheWay: 0 };
    const name = placeOf(state);
    found.set(name, together(found.get(name), node, state));
  }
  return [...found.values()];
}

function together(known: Shared | undefined, node: NodeShare, state: NodeState): Shared {
  return {
    nodes: [...(known?.nodes ?? []), node],
    connections: (known?.connections ?? 0) + node.connections,
    movable: (known?.movable ?? 0) + node.movable,
    onTheWay: (known?.onTheWay ?? 0) + node.onTheWay,
    takes: (known?.takes ?? false) || takesClients(state),
    limit: (known?.limit ?? 0) + limitOf(state),
  };
}

function summaryOf({ places, even, missing }: Shares): ClusterShares {
  const nodes = places.flatMap((place) => place.nodes);
  const ids = nodes.map(({ id }) => id);
  const isEven = areEven(places, even);
  return {
    nodes: nodes.length,
    missing,
    connections: sum(places.map(({ connections }) => connections)),
    movable: sum(places.map(({ movable }) => movable)),
    surplus: isEven ? 0 : sum(ids.map((id) => surplusOf({ places, even, missing }, id))),
    isEven,
  };
}

/** Of a place with several nodes, each has its part. */
function surplusOf({ places, even }: Shares, id: string): number {
  const index = places.findIndex(({ nodes }) => nodes.some((node) => node.id === id));
  const place = places[index];
  const own = place?.nodes.find((node) => node.id === id);
  if (!place || !own || place.movable === 0) return 0;
  const surplus = Math.max(0, place.connections - (even[index] ?? place.connections));
  return Math.min(own.movable, Math.floor((surplus * own.movable) / place.movable));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0);
}

export interface Place {
  readonly connections: number;
  /** How many of these can come back elsewhere. */
  readonly movable: number;
  /** How many of these may have been asked to come back, and not be here or elsewhere yet. */
  readonly onTheWay: number;
  /** Whether others may come to it. */
  readonly takes: boolean;
  /** Most that it may have. */
  readonly limit: number;
}

/** So far from its share a place may be: who moves for less gains nothing. */
const DEAD_BAND = 0.1;
/** A place with a limit is not filled to it. */
const FULL_SHARE = 0.95;
/** Halvings of the interval in which the level lies: far finer than one connection. */
const HALVINGS = 60;

/**
 * The share of each: the same level for all, but no fewer than cannot move, no more than it may have, and no more than it has where
 * it takes none. They add up to what there is.
 */
export function evenShares(places: readonly Place[]): readonly number[] {
  const total = places.reduce((sum, { connections, onTheWay }) => sum + connections + onTheWay, 0);
  const bounds = places.map(boundsOf);
  let [low, high] = [0, total];
  for (let n = 0; n < HALVINGS; n++) {
    const level = (low + high) / 2;
    const sum = bounds.reduce((all, { least, most }) => all + clamp(level, least, most), 0);
    if (sum < total) low = level;
    else high = level;
  }
  return bounds.map(({ least, most }) => clamp(high, least, most));
}

/** Whether each has about as many as it should, and none is on the way. */
export function areEven(places: readonly Place[], shares: readonly number[]): boolean {
  return places.every(({ connections, onTheWay }, index) => {
    const share = shares[index] ?? connections;
    return onTheWay === 0 && Math.abs(connections - share) <= Math.max(1, share * DEAD_BAND);
  });
}

function boundsOf({ connections, movable, takes, limit }: Place) {
  return {
    least: Math.max(0, connections - movable),
    most: takes ? Math.max(connections, limit * FULL_SHARE) : connections,
  };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
