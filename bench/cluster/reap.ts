/** A node that dies with many members: how soon the others are told, and what it costs. */

import { nowMs } from "../contender.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times, whole } from "../table.ts";
import { type EngineKind, NODE_TIMEOUT_MS } from "./member.ts";
import { type Cpu, REGISTRIES, withMembers } from "./members.ts";

/** In one process nobody is left to tell. */
const KINDS: readonly EngineKind[] = ["workers", "redis", "nats"];
const PATIENCE_MS = 60_000;

interface Round {
  /** From the death to the first departure and from there to the last, in milliseconds. */
  readonly noticedMs: number;
  readonly tookMs: number;
  readonly cpu: Cpu;
}

export async function reap({ rounds, forMs }: Effort): Promise<Table> {
  const users = Math.max(100, Math.round(forMs * 12.5));
  const results = await alternate(Math.ceil(rounds / 2), KINDS, (kind) => measure(kind, users));
  const [base = []] = results;
  const ms = (mine: readonly Round[], pick: (round: Round) => number) => `${whole(median(mine.map(pick)))} ms`;
  const us = (mine: readonly Round[], pick: (round: Round) => number) =>
    `${fixed(median(mine.map(pick)) / users, 1)} µs`;
  const together = ({ cpu }: Round) => cpu.second + cpu.shared;
  return {
    title: "A node dies",
    note: [
      `With ${whole(users)} users in 100 presence channels; \`nodeTimeoutS\` is ${fixed(NODE_TIMEOUT_MS / 1000, 0)} here, and 6 unless it is set. CPU is for each user from the death to the`,
      "last departure, beats of that time included; the ratio is of all of it together.",
    ].join("\n"),
    head: ["registry", "noticed after", "all told within", "the other node", "what they share", "ratio"],
    rows: KINDS.map((kind, at) => {
      const mine = results[at] ?? [];
      return [
        REGISTRIES[kind],
        ms(mine, (round) => round.noticedMs),
        ms(mine, (round) => round.tookMs),
        us(mine, (round) => round.cpu.second),
        us(mine, (round) => round.cpu.shared),
        mine === base ? "" : times(ratio(mine.map(together), base.map(together))),
      ];
    }),
  };
}

function measure(kind: EngineKind, users: number): Promise<Round> {
  return withMembers(kind, async (members) => {
    await members.first.call("join", { rows: users, channels: 100, window: 500 });
    const diedAtMs = nowMs();
    let times = { firstAtMs: 0, lastAtMs: 0 };
    const cpu = await members.spent(async () => {
      await members.kill();
      times = await members.second.call("reaped", users, PATIENCE_MS);
    });
    return { noticedMs: times.firstAtMs - diedAtMs, tookMs: times.lastAtMs - times.firstAtMs, cpu };
  });
}
