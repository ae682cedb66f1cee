/** What a channel's subscription needs of the client. */

import type { Connection } from "./connection.ts";
import type { FanfareError } from "./errors.ts";
import type { Frame } from "./frames.ts";
import type { Listeners } from "./listeners.ts";
import type { Settings } from "./options.ts";
import type { KeptPositions } from "./positions.ts";
import type { ChannelEvent } from "./types.ts";

/** What a client does for its channels. */
export interface ChannelUser {
  /** A channel is wanted: connect, unless that is left to the application. */
  held(): void;
  /** Messages for it may go. */
  attached(): void;
  /** They never will. */
  refused(subscription: object, error: FanfareError): void;
  /** Undefined if the event is to be dropped. */
  eventOf(frame: Frame, replayed: boolean): ChannelEvent | undefined;
}

/** What all channels of a client share. */
export interface SubscriptionOwner {
  readonly settings: Settings;
  readonly connection: Connection;
  readonly positions: KeptPositions;
  readonly user: ChannelUser;
  /** Between `connect()` and the end. */
  readonly isRunning: boolean;
  /** Signed in, so that subscribing makes sense. */
  readonly isReady: boolean;
  readonly hasHistory: boolean;
  /** The client runs from now on, or has ended. */
  readonly runs: Listeners<[isRunning: boolean]>;
  /** Aborts with the connection. */
  readonly signal: AbortSignal;
  /** It is kept as long as it is in use. */
  use(subscription: object): void;
  /** Runs it soon, or when others have been answered. It says whether it sent something. */
  enqueue(send: () => boolean): void;
  answered(): void;
}
