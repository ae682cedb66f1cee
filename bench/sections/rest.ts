/** What a server uses while nothing happens: with nobody connected, and with many who say nothing. */

import { type Kind, NAMES, Pair } from "../pair.ts";
import { type Effort, fixed, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "pusher", "native"];
/** With connections there is a floor to compare with: Bun's own pings. */
const CONNECTED_KINDS: readonly Kind[] = ["bare", "pinging", "pusher", "native"];
/** In measuring times: the collection of what the start left goes on for half a minute. */
const SETTLES = 50;
const MEASURED = 30;

export async function rest({ forMs, connections }: Effort): Promise<Table> {
  const rows: string[][] = [];
  for (const count of [0, Math.max(...connections)]) {
    const kinds = count === 0 ? KINDS : CONNECTED_KINDS;
    const used = await Promise.all(kinds.map((kind) => msPerSecond(kind, count, forMs)));
    const [bare = Number.NaN] = used;
    const pinging = used[kinds.indexOf("pinging")];
    for (const [index, ms] of used.entries()) {
      const kind = kinds[index] ?? "bare";
      const isOurs = kind === "pusher" || kind === "native";
      rows.push([
        whole(count),
        NAMES[kind],
        `${fixed(ms, 2)} ms/s`,
        kind === "bare" ? "" : times(ms / bare),
        isOurs && pinging !== undefined ? times(ms / pinging) : "",
      ]);
    }
  }
  return {
    title: "At rest",
    note: "CPU of the server, all its threads, once it has come to rest. One measurement each, side by side. Fanfare pings each connection after 30 s of silence. Bare Bun pings nobody; the row that pings does so after as long, in Bun's own native code.",
    head: ["connections", "server", "CPU", "ratio", "to pinging"],
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
