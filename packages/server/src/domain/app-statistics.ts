/** What is counted of an app in some time, and how what was stored of it is asked for. */

/** `connections` is how many there are at its end, and the peak how many there were at once. */
export interface AppStatistics {
  readonly peakConnections: number;
  readonly connections: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly apiMessages: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly subscribeFailures: number;
  readonly authFailures: number;
}

const NONE: AppStatistics = {
  peakConnections: 0,
  connections: 0,
  messagesIn: 0,
  messagesOut: 0,
  apiMessages: 0,
  bytesIn: 0,
  bytesOut: 0,
  subscribeFailures: 0,
  authFailures: 0,
};

export function noStatistics(): AppStatistics {
  return { ...NONE };
}

/** Of the past, in the database. */
export interface StatisticsQuestion {
  /** All apps where none is named. */
  readonly app?: string;
  /** The ids of these nodes only. */
  readonly nodes?: readonly string[];
  readonly span: "interval" | "hour" | "day";
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is stored beside the sums of each app, to see what they are made of. */
export interface Measured {
  readonly measure: "connections" | "refused" | "resumed" | "webhooks" | "latency" | "lag" | "memory";
  readonly label: string;
  readonly value: number;
}

/** What was measured at one time, on one process, of all the apps that were asked for together, or of the node. */
export interface StoredMeasure extends Measured {
  readonly node: string;
  readonly atMs: number;
}

/** Each of the numbers as the function says. */
export function statisticsOf(numberOf: (name: keyof AppStatistics) => number): AppStatistics {
  const numbers: { -readonly [Name in keyof AppStatistics]: number } = { ...NONE };
  for (const name of Object.keys(NONE) as (keyof AppStatistics)[]) numbers[name] = numberOf(name);
  return numbers;
}

/** Everything added up, the connections too. */
export function addStatistics(one: AppStatistics, other: AppStatistics): AppStatistics {
  return statisticsOf((name) => one[name] + other[name]);
}
