/** The first of many, in order. */

/** To have all of a hundred thousand in order for the first hundred would hold the server up. */
export function firstOf<T>(all: Iterable<T>, count: number, order: (one: T, other: T) => number): readonly T[] {
  let first: T[] = [];
  let last: T | undefined;
  for (const one of all) {
    if (last !== undefined && order(one, last) > 0) continue;
    first.push(one);
    if (first.length < 2 * count + 100) continue;
    first = first.sort(order).slice(0, count);
    last = first.at(-1);
  }
  return first.sort(order).slice(0, count);
}
