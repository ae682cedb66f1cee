/** Clients that read by HTTP from a node that does not have their connections: what passing on what they read costs each node and the engine. */

import type { HttpTransport } from "../http-readers.ts";
import { type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";
import { totalOf } from "./cost.ts";
import { PLANS, type Site, type Spent, withSites } from "./site.ts";

/** Nobody here answers pings. */
const PATIENT = { activityTimeoutS: 3_600 };
const ENGINES = PLANS.filter(({ store }) => store !== undefined).map((plan) => ({ ...plan, config: PATIENT }));
const FEW: readonly HttpTransport[] = ["xhr_streaming", "stream", "xhr_polling", "poll"];
const MANY: readonly HttpTransport[] = ["xhr_polling", "poll"];
/** Below the 20 000 files that a process may open on many machines. */
const MOST = 10_000;
/** What one that waits is asked for again after eight seconds without an event. */
const REST_MS = 8_000;
const PATIENCE_MS = 120_000;

interface Round extends Spent {
  readonly ms: number;
}

interface Crowd {
  readonly rounds: readonly Round[];
  /** Of all processes together, in milliseconds a second. */
  readonly restMsPerS: number;
}

export async function forwarding({ subscribers, connections, rounds, forMs }: Effort): Promise<Table> {
  const few = Math.max(...subscribers);
  const many = Math.min(MOST, Math.max(...connections));
  const restMs = Math.min(REST_MS, forMs * 10);
  const rows: string[][] = [];
  for (const { transport, readers, plans } of crowds(few, many)) {
    for (const plan of plans) {
      const measured = await withSites([plan, plan], async (sites) => {
        const [here, elsewhere] = sites as [Site, Site];
        await here.openHttp(transport, readers, "here");
        await elsewhere.openHttp(transport, readers, "elsewhere");
        const times = readers > few ? Math.ceil(rounds / 2) : rounds;
        return measure([here, elsewhere], readers, { rounds: times, restMs });
      });
      rows.push(rowOf(`${plan.name.split(",")[0]}; ${transport}; ${whole(readers)}`, measured));
    }
  }
  return {
    title: "Sessions of another node",
    note: [
      "Two nodes. All clients read from one of them, and the other has their connections, as where a balancer does not know which node a client is with.",
      "CPU for each event that a client gets, one event at a time to all of them; the ratio is to clients that read where their connections are, in the",
      "same round. At rest nothing is published for eight seconds; CPU of both nodes and Redis or NATS together.",
    ].join("\n"),
    head: [
      "engine; transport; clients",
      "their node",
      "node they ask",
      "Redis or NATS",
      "together",
      "ratio",
      "to all of them",
      "at rest",
      "ratio",
    ],
    rows,
  };
}

/** Many on Redis only, whose one core is what they may fill. */
function crowds(few: number, many: number) {
  const [redis] = ENGINES;
  return [
    ...FEW.map((transport) => ({ transport, readers: few, plans: ENGINES })),
    ...MANY.map((transport) => ({ transport, readers: many, plans: redis ? [redis] : [] })),
  ];
}

async function measure(
  sites: readonly [Site, Site],
  readers: number,
  { rounds, restMs }: { readonly rounds: number; readonly restMs: number },
): Promise<readonly [Crowd, Crowd]> {
  const all: [Round[], Round[]] = [[], []];
  // The first is for the compiler.
  for (let round = 0; round <= rounds; round++) {
    for (const [index, site] of sites.entries()) {
      const one = await publishOne(site, readers);
      if (round > 0) all[index]?.push(one);
    }
  }
  const rests: number[] = [];
  for (const site of sites) {
    const spent = await site.spent(() => Bun.sleep(restMs));
    rests.push(totalOf(spent) / restMs);
  }
  const [here, elsewhere] = all.map((mine, at) => ({ rounds: mine, restMsPerS: rests[at] ?? Number.NaN }));
  return [here as Crowd, elsewhere as Crowd];
}

async function publishOne(site: Site, readers: number): Promise<Round> {
  await site.load.call("reset");
  let ms = 0;
  const spent = await site.spent(async () => {
    const startMs = performance.now();
    await site.publisher.call("burst", { perTick: 1, forMs: PATIENCE_MS, most: 1 });
    await site.load.call("arrived", readers, PATIENCE_MS);
    ms = performance.now() - startMs;
  });
  return {
    publisher: spent.publisher / readers,
    receivers: spent.receivers / readers,
    store: spent.store / readers,
    ms,
  };
}

function rowOf(name: string, [here, elsewhere]: readonly [Crowd, Crowd]): string[] {
  const mine = elsewhere.rounds;
  const us = (pick: (round: Round) => number) => `${fixed(median(mine.map(pick)), 1)} µs`;
  return [
    name,
    us((round) => round.publisher),
    us((round) => round.receivers),
    us((round) => round.store),
    us(totalOf),
    times(ratio(mine.map(totalOf), here.rounds.map(totalOf))),
    `${whole(median(mine.map(({ ms }) => ms)))} ms`,
    `${fixed(elsewhere.restMsPerS, 0)} ms/s`,
    times(elsewhere.restMsPerS / here.restMsPerS),
  ];
}
