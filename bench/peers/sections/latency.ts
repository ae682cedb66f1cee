/** From the back end's call to the reader, at rates that leave the machine air. */

import type { Delays } from "../../load.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../../table.ts";
import { type Peer, type Running, withRunning } from "../peer.ts";

interface Rate {
  readonly readers: number;
  readonly perSecond: number;
}

const RATES: readonly Rate[] = [
  { readers: 100, perSecond: 100 },
  { readers: 1_000, perSecond: 50 },
];

export function latency(peers: readonly Peer[]) {
  return async ({ rounds, forMs, subscribers }: Effort): Promise<Table> => {
    const most = Math.max(...subscribers);
    const rates = RATES.map(({ readers, perSecond }) => ({ readers: Math.min(readers, most), perSecond }));
    const rows = await withRunning(peers, async (running) => {
      const all: string[][] = [];
      for (const rate of rates) {
        await alternate(1, running, (one) => delaysOf(one, rate, forMs));
        const results = await alternate(rounds, running, (one) => delaysOf(one, rate, forMs * 3));
        all.push(
          ...results.map((mine, at) => rowOf(rate, peers[at]?.name ?? "", mine, at === 0 ? [] : (results[0] ?? []))),
        );
      }
      return all;
    });
    return {
      title: "From the call to the reader",
      note: "From when the back end sends its request to the frame's arrival, over all readers; back end and readers are one process. The ratio is of p99.",
      head: ["readers", "triggers/s", "server", "p50", "p99", "ratio"],
      rows,
    };
  };
}

async function delaysOf(one: Running, { readers, perSecond }: Rate, forMs: number): Promise<Delays> {
  const channel = `readers-${readers}`;
  const messages = Math.max(1, Math.round((perSecond * forMs) / 1000));
  await one.load.call("close");
  await one.open(readers, channel);
  await one.load.call("record", messages);
  const request = { kind: one.peer.request, channel };
  const sentAtMs = await one.load.call("triggerSteadily", { port: one.port, request, perSecond, messages });
  await one.arrived(messages * readers);
  return one.load.call("delaysMs", sentAtMs);
}

function rowOf({ readers, perSecond }: Rate, name: string, mine: readonly Delays[], bare: readonly Delays[]): string[] {
  const p99 = (all: readonly Delays[]) => all.map((one) => one.p99);
  return [
    whole(readers),
    whole(perSecond),
    name,
    `${fixed(median(mine.map((one) => one.p50)), 2)} ms`,
    `${fixed(median(p99(mine)), 2)} ms`,
    bare.length === 0 ? "" : times(ratio(p99(mine), p99(bare))),
  ];
}
