/** Users who come into presence channels and leave them, decided once in the cluster. */

import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";
import type { EngineKind } from "./member.ts";
import { type Cpu, REGISTRIES, withMembers } from "./members.ts";

const KINDS: readonly EngineKind[] = ["memory", "workers", "redis", "nats"];
const WINDOW = 500;

interface Round {
  readonly joinsPerSecond: number;
  readonly leavesPerSecond: number;
  /** Per join. */
  readonly cpu: Cpu;
}

export async function joins({ rounds, forMs }: Effort): Promise<Table> {
  const rows = Math.max(100, Math.round(forMs * 12.5));
  const results = await alternate(rounds, KINDS, (kind) => measure(kind, rows));
  const [base = []] = results;
  const us = (mine: readonly Round[], pick: (cpu: Cpu) => number) =>
    `${fixed(median(mine.map(({ cpu }) => pick(cpu))), 1)} µs`;
  return {
    title: "Joins of presence channels",
    note: [
      `${whole(rows)} users come into 1 000 channels and leave them, ${WINDOW} at a time, by the registry of one of two nodes; no sockets. CPU is`,
      "per join. The ratio is of joins per second.",
    ].join("\n"),
    head: ["registry", "joins/s", "ratio", "leaves/s", "CPU, this node", "the other node", "what they share"],
    rows: KINDS.map((kind, at) => {
      const mine = results[at] ?? [];
      const rate = (one: Round) => one.joinsPerSecond;
      return [
        REGISTRIES[kind],
        whole(median(mine.map(rate))),
        mine === base ? "" : times(ratio(mine.map(rate), base.map(rate))),
        whole(median(mine.map((one) => one.leavesPerSecond))),
        us(mine, (cpu) => cpu.first),
        us(mine, (cpu) => cpu.second),
        us(mine, (cpu) => cpu.shared),
      ];
    }),
  };
}

function measure(kind: EngineKind, rows: number): Promise<Round> {
  return withMembers(kind, async (members) => {
    const joining = { rows, channels: 1_000, window: WINDOW };
    const warming = { rows: Math.ceil(rows / 4), channels: 1_000, window: WINDOW };
    await members.first.call("join", warming);
    await members.first.call("leave", warming);
    let tookMs = 0;
    const cpu = await members.spent(async () => {
      tookMs = await members.first.call("join", joining);
    });
    const leftMs = await members.first.call("leave", joining);
    return {
      joinsPerSecond: (rows * 1000) / tookMs,
      leavesPerSecond: (rows * 1000) / leftMs,
      cpu: { first: cpu.first / rows, second: cpu.second / rows, shared: cpu.shared / rows },
    };
  });
}
