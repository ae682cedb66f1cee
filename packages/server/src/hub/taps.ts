/** Connections whose frames somebody watches as they pass. Empty nearly always, and then it costs one look at a size. */

import type { Connection } from "../domain/connection.ts";
import type { Push } from "../domain/message.ts";
import type { Frame } from "../domain/transport.ts";
import type { Audience } from "./audience.ts";

/** May only take note: called for each frame, before it is looked at and after it is encoded. */
export interface Tap {
  received(frame: Frame): void;
  sent(frame: string): void;
}

export type Taps = Map<Connection, Tap>;

/** What everybody in the channel was told: Bun's topics do not say to whom. */
export function notifyTaps(taps: Taps, audience: Audience, push: Push, except: readonly Connection[]): void {
  for (const [connection, tap] of taps) {
    if (connection.app.id !== audience.app || connection.closed || except.includes(connection)) continue;
    const topic = audience.topicOf(connection.protocol);
    if (topic === undefined || !connection.socket?.isSubscribed(topic)) continue;
    const frame = connection.protocol.encode(push);
    if (frame !== undefined) tap.sent(frame);
  }
}
