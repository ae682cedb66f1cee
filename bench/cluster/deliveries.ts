/** One channel with readers on all nodes: how much it carries, what that costs, and how long a message is on its way. */

import type { Delays } from "../load.ts";
import { CHANNEL } from "../message.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";
import { mostFor, PLANS, type Site, withSites } from "./site.ts";

const PATIENCE_MS = 120_000;
const PER_TICK = 10;
const STEADY_DELIVERIES_PER_SECOND = 20_000;

interface Round {
  readonly deliveriesPerSecond: number;
  /** Of all processes of the server, and of what they share. */
  readonly cpuUsPerDelivery: number;
  readonly delays: Delays;
}

export async function deliveries({ subscribers, rounds, forMs }: Effort): Promise<Table> {
  const readers = subscribers.at(-1) ?? 1;
  const rows = await withSites(PLANS, async (sites) => {
    for (const site of sites) await site.open(readers, CHANNEL);
    await alternate(1, sites, (site) => measure(site, readers, forMs / 4));
    const results = await alternate(rounds, sites, (site) => measure(site, readers, forMs));
    return results.map((mine, index) => rowOf(PLANS[index]?.name ?? "", mine, results[0] ?? []));
  });
  return {
    title: `Deliveries to ${whole(readers)} readers`,
    note: [
      "Frames of 123 bytes, ten messages per tick, published by one program as fast as they are taken; CPU is that of all processes of the",
      `server and of Redis or NATS. Delays at ${whole(STEADY_DELIVERIES_PER_SECOND)} deliveries per second, from the call that publishes to the frame's arrival.`,
    ].join("\n"),
    head: ["engine", "deliveries/s", "ratio", "CPU per delivery", "ratio", "p50", "p99", "ratio of p50"],
    rows,
  };
}

async function measure(site: Site, readers: number, forMs: number): Promise<Round> {
  await site.load.call("reset");
  let frames = 0;
  const startMs = performance.now();
  const spent = await site.spent(async () => {
    frames =
      readers * (await site.publisher.call("burst", { perTick: PER_TICK, forMs, most: mostFor(readers, forMs) }));
    await site.load.call("arrived", frames, PATIENCE_MS);
  });
  const tookS = (performance.now() - startMs) / 1000;
  const cpuUs = spent.publisher + spent.receivers + spent.store;
  return {
    deliveriesPerSecond: frames / tookS,
    cpuUsPerDelivery: cpuUs / frames,
    delays: await delaysAt(site, readers, forMs),
  };
}

async function delaysAt(site: Site, readers: number, forMs: number): Promise<Delays> {
  const perSecond = STEADY_DELIVERIES_PER_SECOND / readers;
  const messages = Math.max(1, Math.round((perSecond * forMs * 3) / 1000));
  await site.load.call("record", messages);
  const publishedAtMs = await site.publisher.call("steady", { perSecond, messages });
  await site.load.call("arrived", messages * readers, PATIENCE_MS);
  return site.load.call("delaysMs", publishedAtMs);
}

function rowOf(name: string, mine: readonly Round[], base: readonly Round[]): string[] {
  const isBase = mine === base;
  const of = (pick: (round: Round) => number) => {
    const values = mine.map(pick);
    return { value: median(values), times: isBase ? "" : times(ratio(values, base.map(pick))) };
  };
  const rate = of((round) => round.deliveriesPerSecond);
  const cpu = of((round) => round.cpuUsPerDelivery);
  const p50 = of((round) => round.delays.p50);
  const p99 = of((round) => round.delays.p99);
  return [
    name,
    whole(rate.value),
    rate.times,
    `${fixed(cpu.value, 2)} µs`,
    cpu.times,
    `${fixed(p50.value, 2)} ms`,
    `${fixed(p99.value, 2)} ms`,
    p50.times,
  ];
}
