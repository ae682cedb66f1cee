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

export function noStatistics(): AppStatistics {
  return {
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
}

/** Everything added up, the connections too. */
export function addStatistics(one: AppStatistics, other: AppStatistics): AppStatistics {
  return {
    peakConnections: one.peakConnections + other.peakConnections,
    connections: one.connections + other.connections,
    messagesIn: one.messagesIn + other.messagesIn,
    messagesOut: one.messagesOut + other.messagesOut,
    apiMessages: one.apiMessages + other.apiMessages,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    subscribeFailures: one.subscribeFailures + other.subscribeFailures,
    authFailures: one.authFailures + other.authFailures,
  };
}
