/** Resident memory of a connection that is in one channel and does nothing. */

import { type Kind, NAMES, withPairs } from "../pair.ts";
import { alternate, type Effort, median, ratio, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "pusher", "native"];
/** So that what the first connection brings into memory is not counted as its own. */
const FIRST = 50;

export async function memory({ connections, rounds }: Effort): Promise<Table> {
  const results = await alternate(Math.ceil(rounds / 2), KINDS, (kind) => bytesEach(kind, connections));
  const rows = connections.flatMap((count, at) => {
    const each = results.map((mine) => mine.map((counts) => counts[at] ?? Number.NaN));
    return each.map((mine, index) => [
      whole(count),
      NAMES[KINDS[index] ?? "bare"],
      `${whole(median(mine))} B`,
      index === 0 ? "" : times(ratio(mine, each[0] ?? [])),
    ]);
  });
  return {
    title: "Memory per connection",
    note: "Growth of the server's resident memory, garbage collected, divided by the connections. Each has one subscription.",
    head: ["connections", "server", "per connection", "ratio"],
    rows,
  };
}

/** A fresh server each time: what an earlier run has freed would be used again and not be seen. */
async function bytesEach(kind: Kind, connections: readonly number[]): Promise<number[]> {
  return withPairs([kind], async ([pair]) => {
    if (!pair) return [];
    await pair.open(FIRST);
    const empty = await pair.server.call("residentBytes");
    const each: number[] = [];
    for (const count of connections) {
      await pair.open(count);
      each.push(((await pair.server.call("residentBytes")) - empty) / (count - FIRST));
    }
    return each;
  });
}
