/** What goes in and out of a node, for those who count it. Called for every frame, so it may only count. */

import type { App } from "./app.ts";
import type { Connection } from "./connection.ts";
import type { Frame, Protocol } from "./transport.ts";

export interface TrafficMeter {
  /** A client's frame came in. */
  received(app: App, bytes: number): void;
  /** The same frame went out to so many clients. */
  sent(app: App, readers: number, bytes: number): void;
  /** The engine took an event after so many milliseconds. */
  published(tookMs: number): void;
  /** One of the events that are timed was written to this node's readers so long after this node published it. */
  delivered(tookMs: number): void;
}

/** The frames themselves, for those who look at each. Called before a frame is looked at, and after one is encoded. */
export interface FrameObserver {
  received(connection: Connection, frame: Frame): void;
  sent(connection: Connection, frame: string): void;
  /** The same one went to all who read the channel here by this protocol. */
  sentToAll(
    to: {
      readonly app: string;
      readonly channel: string;
      readonly protocol: Pick<Protocol, "name">;
      readonly readers: number;
    },
    frame: string,
  ): void;
}

/** The frames of one connection. Called for each of them, so it may only take note. */
export interface FrameTap {
  received(frame: Frame): void;
  sent(frame: string): void;
}
