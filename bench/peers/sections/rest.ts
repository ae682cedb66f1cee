/** What a server costs before anybody sends anything: its start, its memory, a connection, and an idle second. */

import { alternate, type Effort, fixed, median, type Table, whole } from "../../table.ts";
import { type Peer, Running } from "../peer.ts";

/** What a start leaves behind is cleaned up by then: 2.5 s in a whole run. */
const settleMs = (forMs: number) => forMs * 2.5;

interface Rest {
  readonly startMs: number;
  readonly residentMb: number;
  /** Milliseconds of processor time in a second, without connections and with all. */
  readonly idle: number;
  readonly busyIdle: number;
  readonly connectUs: number;
  readonly bytesEach: number;
}

export function rest(peers: readonly Peer[]) {
  return async ({ rounds, forMs, connections }: Effort): Promise<Table> => {
    const count = connections[0] ?? 1;
    const results = await alternate(rounds, peers, (peer) => restOf(peer, count, forMs));
    const rows = results.map((mine, at) => {
      const of = (pick: (one: Rest) => number, digits = 0) => {
        const value = median(mine.map(pick));
        return Number.isNaN(value) ? "–" : digits === 0 ? whole(value) : fixed(value, digits);
      };
      return [
        peers[at]?.name ?? "",
        `${of((one) => one.startMs)} ms`,
        `${of((one) => one.residentMb)} MB`,
        `${of((one) => one.idle, 1)} ms/s`,
        `${of((one) => one.busyIdle, 1)} ms/s`,
        `${of((one) => one.connectUs)} µs`,
        `${of((one) => one.bytesEach)} B`,
      ];
    });
    return {
      title: "Start and rest",
      note: `From the start of the process until it takes connections; resident memory ${settleMs(forMs) / 1000} s later; processor time in an idle second without connections and with ${whole(count)}, each in one channel; processor time and resident memory of such a connection.`,
      head: ["server", "start", "resident", "idle", `idle, ${whole(count)}`, "connect", "connection"],
      rows,
    };
  };
}

async function restOf(peer: Peer, count: number, forMs: number): Promise<Rest> {
  const one = await Running.start(peer);
  try {
    await Bun.sleep(settleMs(forMs));
    const residentBytes = one.residentBytes();
    const idle = await idleShare(one, forMs);
    // The first ones bring code into memory that is no connection's.
    const first = Math.min(50, Math.floor(count / 2));
    await one.open(first, "rest");
    const [bytes, us] = [one.residentBytes(), one.cpuUs()];
    await one.open(count, "rest");
    const connectUs = (one.cpuUs() - us) / (count - first);
    const bytesEach = (one.residentBytes() - bytes) / (count - first);
    const busyIdle = await idleShare(one, forMs);
    return { startMs: one.startedInMs, residentMb: residentBytes / 2 ** 20, idle, busyIdle, connectUs, bytesEach };
  } finally {
    await one.end();
  }
}

async function idleShare(one: Running, forMs: number): Promise<number> {
  const [us, sinceMs] = [one.cpuUs(), performance.now()];
  await Bun.sleep(forMs * 3);
  return (one.cpuUs() - us) / (performance.now() - sinceMs);
}
