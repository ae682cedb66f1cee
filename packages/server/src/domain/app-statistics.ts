/** What is counted of an app in some time. */

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

/** Everything added up, the connections too. */
export function addStatistics(one: AppStatistics, other: AppStatistics): AppStatistics {
  const sum: { -readonly [Name in keyof AppStatistics]: number } = { ...one };
  for (const name of Object.keys(NONE) as (keyof AppStatistics)[]) sum[name] += other[name];
  return sum;
}
