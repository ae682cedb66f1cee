/** Two nodes on one Redis: a back end calls one, the readers are on the other. */

import { startStore } from "../../cluster/store.ts";
import { cpuUsOf } from "../../cpu.ts";
import { alternate, type Effort, fixed, median, type Table, whole } from "../../table.ts";
import { type Peer, Running } from "../peer.ts";

const CALLERS = 4;
/** The node that is called answers whether or not the other one keeps up. */
const MOST_DELIVERIES = 300_000;

interface Cluster {
  readonly called: Running;
  readonly read: Running;
  cpuUs(): number;
  end(): Promise<void>;
}

export function nodes(peers: readonly Peer[]) {
  return async ({ rounds, forMs, subscribers }: Effort): Promise<Table> => {
    const able = peers.filter(({ clusters }) => clusters);
    const running: Cluster[] = [];
    try {
      for (const peer of able) running.push(await startCluster(peer));
      const columns: number[][][] = [];
      for (const readers of subscribers) {
        await alternate(1, running, (one) => cpuUsEach(one, readers, forMs));
        columns.push(await alternate(rounds, running, (one) => cpuUsEach(one, readers, forMs)));
      }
      const rows = able.map(({ name }, at) => [
        name,
        ...columns.map((column) => `${fixed(median(column[at] ?? []), 0)} µs`),
      ]);
      return {
        title: "Two nodes on one Redis",
        note: `Processor time of both nodes and the Redis for one call of the first node's HTTP API and its deliveries by the second, with ${CALLERS} callers.`,
        head: ["server", ...subscribers.map((count) => (count === 1 ? "1 reader" : `${whole(count)} readers`))],
        rows,
      };
    } finally {
      await Promise.all(running.map((one) => one.end()));
    }
  };
}

async function startCluster(peer: Peer): Promise<Cluster> {
  const store = await startStore("redis");
  const started: Running[] = [];
  const end = async () => {
    await Promise.all(started.map((one) => one.end()));
    await store.end();
  };
  try {
    const called = await Running.start(peer, store.port);
    started.push(called);
    const read = await Running.start(peer, store.port);
    started.push(read);
    return { called, read, cpuUs: () => called.cpuUs() + read.cpuUs() + cpuUsOf(store.pid), end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function cpuUsEach(cluster: Cluster, readers: number, forMs: number): Promise<number> {
  const { called, read } = cluster;
  const channel = `readers-${readers}`;
  await read.load.call("close");
  await read.open(readers, channel);
  await read.load.call("reset");
  const beforeUs = cluster.cpuUs();
  const request = { kind: called.peer.request, channel };
  const { answered, refused } = await called.load.call("trigger", {
    port: called.port,
    callers: CALLERS,
    forMs,
    atMost: Math.ceil(MOST_DELIVERIES / readers),
    request,
  });
  if (refused > 0) throw new Error(`${called.peer.name} refused ${refused} triggers.`);
  await read.arrived(answered * readers);
  return (cluster.cpuUs() - beforeUs) / answered;
}
