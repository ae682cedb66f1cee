/** A past for Insights: what nodes would have written on a day like others, through the stores that nodes write with. */

import { noStatistics } from "../../packages/server/src/admin/api-types.ts";
import type { Database } from "../../packages/server/src/database/open.ts";
import type { Measured } from "../../packages/server/src/domain/app-statistics.ts";
import { SeriesStore } from "../../packages/server/src/observers/statistics/series-store.ts";
import { StatisticsStore } from "../../packages/server/src/observers/statistics/store.ts";
import { APP } from "../support/server.ts";

export interface PastNode {
  /** Else as its id. */
  readonly name?: string;
  /** For numbers that are other than those of another node, and the same every time. */
  readonly seed?: number;
  /** At the end its event loop lags. */
  readonly isOverloaded?: boolean;
}

type Noise = (part: number) => number;

/** Writes so many intervals of a process, until so many ago. */
export function seeder(database: Database, stepMs: number) {
  return async (id: string, count: number, ago: number, node: PastNode = {}): Promise<void> => {
    const { name = id, seed = 1, isOverloaded = false } = node;
    const [sums, series] = [new StatisticsStore(database, id), new SeriesStore(database, id)];
    const noise = noiseOf(seed);
    for (let at = ago + count - 1; at >= ago; at--) {
      const nowMs = Date.now() - at * stepMs;
      const day = dayAt(nowMs);
      const left = isOverloaded ? Math.max(0, 5 - at) : 0;
      const [s, age] = [stepMs / 1000, ago + count - 1 - at];
      const app = ofApp({ day, noise, s, age, late: at < 12 });
      await sums.add(new Map([[APP.id, numbersOf({ day, noise, s })]]), nowMs, stepMs);
      await series.add(
        new Map([
          [APP.id, app],
          ["", ofNode(name, { day, noise, left, age })],
        ]),
        nowMs,
        stepMs,
      );
    }
  };
}

/** From a quarter at night to one in the afternoon. */
function dayAt(ms: number): number {
  const hour = (ms / 3_600_000) % 24;
  return 0.3 + 0.7 * Math.max(0, Math.sin(((hour - 5) / 17) * Math.PI));
}

interface Moment {
  readonly day: number;
  readonly noise: Noise;
  /** How long the interval is. */
  readonly s: number;
}

function numbersOf({ day, noise, s }: Moment) {
  const per = (perSecond: number, part: number) => Math.round(perSecond * day * s * noise(part));
  return {
    ...noStatistics(),
    ...{ messagesIn: per(11, 0.06), apiMessages: per(28, 0.06), messagesOut: per(1_890, 0.05) },
    ...{ bytesIn: per(23_000, 0.05), bytesOut: per(870_000, 0.05) },
    connections: Math.round(1_600 * day * noise(0.01)),
  };
}

function ofApp({ day, noise, s, age, late }: Moment & { readonly age: number; readonly late: boolean }): Measured[] {
  const perMinute = (rate: number, part: number) => Math.round(((rate * s) / 60) * day * noise(part));
  const present = (count: number) => Math.round(count * day * noise(0.01));
  return [
    { measure: "connections", label: "pusher websocket tls", value: present(1_180) },
    { measure: "connections", label: "native websocket tls", value: present(340) },
    { measure: "connections", label: "pusher xhr_streaming tls", value: present(80) },
    { measure: "refused", label: "signature_invalid", value: perMinute(late ? 3.1 : 1.1, 0.3) },
    { measure: "refused", label: "rate_limited", value: perMinute(0.6, 0.4) },
    { measure: "refused", label: "channel_full", value: perMinute(0.25, 0.5) },
    { measure: "refused", label: "unauthorized", value: perMinute(0.2, 0.5) },
    // Who was on a node that stopped comes back at once.
    { measure: "resumed", label: "recovered", value: perMinute(age < 1 ? 160 : 0.9, 0.5) },
    { measure: "resumed", label: "lost", value: age % 40 === 7 ? 1 : 0 },
    { measure: "webhooks", label: "sent", value: perMinute(12, 0.06) },
    { measure: "webhooks", label: "retried", value: late ? perMinute(1.8, 0.4) : 0 },
    { measure: "webhooks", label: "dead", value: late ? perMinute(0.3, 0.5) : 0 },
  ];
}

interface NodeMoment extends Omit<Moment, "s"> {
  readonly left: number;
  readonly age: number;
}

function ofNode(label: string, { day, noise, left, age }: NodeMoment): Measured[] {
  const classes = [4, 90, 400, 300, 120, 60 * noise(0.1), 20 * noise(0.4), 6 * noise(0.9) * (left > 0 ? 8 : 1)];
  return [
    { measure: "lag", label, value: Math.round(left > 0 ? left * 24 : 3 * noise(0.4)) },
    {
      measure: "memory",
      label,
      value: Math.round((130 + 60 * Math.min(1, age / 8) + 18 * day) * 1_048_576 * noise(0.01)),
    },
    ...classes.map(
      (value, index) => ({ measure: "latency", label: String(index), value: Math.round(value * day) }) as const,
    ),
  ];
}

/** About one: the same numbers for the same seed. */
function noiseOf(seed: number): Noise {
  let state = seed * 2_654_435_761;
  return (part) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 1 + part * ((state / 2 ** 32) * 2 - 1);
  };
}
