/** Fan-out: one message to all subscribers of a channel, and what that costs the server for each of them. */

import { type Kind, NAMES, type Pair, withPairs } from "../pair.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";

const KINDS: readonly Kind[] = ["bare", "optimal", "pusher", "native"];
const PATIENCE_MS = 60_000;

interface Burst {
  readonly deliveriesPerSecond: number;
  readonly cpuUsPerDelivery: number;
}

export async function fanout({ subscribers, rounds, forMs }: Effort): Promise<Table> {
  const rows: string[][] = [];
  await withPairs(KINDS, async (pairs) => {
    for (const count of subscribers) {
      for (const pair of pairs) await pair.open(count);
      for (const perTick of [1, 10]) {
        await alternate(1, pairs, (pair) => burst(pair, count, perTick, forMs / 4));
        const results = await alternate(rounds, pairs, (pair) => burst(pair, count, perTick, forMs));
        rows.push(
          ...results.map((bursts, index) => rowOf(count, perTick, KINDS[index] ?? "bare", bursts, results[0] ?? [])),
        );
      }
    }
  });
  return {
    title: "Fan-out",
    note: "Frames of 123 bytes. CPU is the server's own, user and system; the ratio is of CPU per delivery.",
    head: ["subscribers", "messages per tick", "server", "deliveries/s", "CPU per delivery", "ratio"],
    rows,
  };
}

async function burst(pair: Pair, subscribers: number, perTick: number, forMs: number): Promise<Burst> {
  let frames = 0;
  const startMs = performance.now();
  const cpuUs = await pair.cpuUs(async () => {
    frames = subscribers * (await publish(pair, subscribers, perTick, forMs));
  });
  const tookS = (performance.now() - startMs) / 1000;
  return { deliveriesPerSecond: frames / tookS, cpuUsPerDelivery: cpuUs / frames };
}

/** Until all of it has arrived. Says how many were published. */
export async function publish(pair: Pair, subscribers: number, perTick: number, forMs: number): Promise<number> {
  await pair.load.call("reset");
  const published = await pair.server.call("burst", { perTick, forMs });
  await pair.load.call("arrived", subscribers * published, PATIENCE_MS);
  return published;
}

function rowOf(count: number, perTick: number, kind: Kind, bursts: readonly Burst[], bare: readonly Burst[]): string[] {
  const cpu = bursts.map((one) => one.cpuUsPerDelivery);
  const bareCpu = bare.map((one) => one.cpuUsPerDelivery);
  return [
    whole(count),
    String(perTick),
    NAMES[kind],
    whole(median(bursts.map((one) => one.deliveriesPerSecond))),
    `${fixed(median(cpu), 2)} µs`,
    kind === "bare" ? "" : times(ratio(cpu, bareCpu)),
  ];
}
