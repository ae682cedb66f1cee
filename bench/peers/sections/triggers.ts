/** One trigger to few readers and to many: what most servers do most of the time. */

import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../../table.ts";
import { type Peer, type Running, withRunning } from "../peer.ts";

const CALLERS = 4;
/** From so many readers on a trigger's cost is that of its deliveries. */
const MANY = 1_000;

export function triggers(peers: readonly Peer[]) {
  return async ({ rounds, forMs, subscribers }: Effort): Promise<Table> => {
    const costs = await withRunning(peers, async (running) => {
      const columns: number[][][] = [];
      for (const readers of subscribers) {
        await alternate(1, running, (one) => cpuUsEach(one, readers, forMs));
        columns.push(await alternate(rounds, running, (one) => cpuUsEach(one, readers, forMs)));
      }
      return columns;
    });
    const rows = peers.map(({ name }, at) => [
      name,
      ...costs.map((column, n) => {
        const mine = column[at] ?? [];
        const each = (subscribers[n] ?? 1) >= MANY ? (subscribers[n] ?? 1) : 1;
        const text = `${fixed(median(mine) / each, each > 1 ? 2 : 0)} µs`;
        return at === 0 ? text : `${text} (${times(ratio(mine, column[0] ?? []))})`;
      }),
    ]);
    return {
      title: "One trigger",
      note: `Processor time of the server for one call of its HTTP API and its deliveries, with ${CALLERS} callers, each of which waits for its answer; from ${whole(MANY)} readers on per delivery. In brackets: the ratio to the first line.`,
      head: ["server", ...subscribers.map((count) => (count === 1 ? "1 reader" : `${whole(count)} readers`))],
      rows,
    };
  };
}

/** Readers that come anew each time: the bench's do not answer pings, and would be taken for dead. */
async function cpuUsEach(one: Running, readers: number, forMs: number): Promise<number> {
  const channel = `readers-${readers}`;
  await one.load.call("close");
  await one.open(readers, channel);
  await one.load.call("reset");
  const beforeUs = one.cpuUs();
  const request = { kind: one.peer.request, channel };
  const called = await one.load.call("trigger", { port: one.port, callers: CALLERS, forMs, request });
  if (called.refused > 0) throw new Error(`${one.peer.name} refused ${called.refused} triggers.`);
  await one.arrived(called.answered * readers);
  return (one.cpuUs() - beforeUs) / called.answered;
}
