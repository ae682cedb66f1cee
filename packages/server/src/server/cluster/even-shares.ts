/** How many connections each place of a cluster should have: evenly many, as far as connections can move. */

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
