/** What a server uses while nothing happens: with nobody connected, and with many who say nothing. */

import { type Kind, NAMES, Pair } from "../pair.ts";
import { type Effort, fixed, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "pusher", "native"];
/** In measuring times: the collection of what the start left goes on for half a minute. */
const SETTLES = 50;
const MEASURED = 30;

export async function rest({ forMs, connections }: Effort): Promise<Table> {
  const rows: string[][] = [];
  for (const count of [0, Math.max(...connections)]) {
    const used = await Promise.all(KINDS.map((kind) => msPerSecond(kind, count, forMs)));
    rows.push(
      ...used.map((ms, index) => [
        whole(count),
        NAMES[KINDS[index] ?? "bare"],
        `${fixed(ms, 2)} ms/s`,
        index === 0 ? "" : times(ms / (used[0] ?? Number.NaN)),
      ]),
    );
  }
  return {
    title: "At rest",
    note: "CPU of the server, all its threads, once it has come to rest. One measurement each, side by side. The pings of connections are part of it.",
    head: ["connections", "server", "CPU", "ratio"],
    rows,
  };
}

async function msPerSecond(kind: Kind, count: number, forMs: number): Promise<number> {
  const pair = await Pair.start(kind);
  try {
    await pair.open(count);
    await Bun.sleep(forMs * SETTLES);
    const seconds = (forMs * MEASURED) / 1_000;
    return (await pair.cpuUs(() => Bun.sleep(seconds * 1_000))) / 1_000 / seconds;
  } finally {
    await pair.end();
  }
}
