/** What a hub is built from. */

import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import type { Command, Member, User } from "../domain/message.ts";
import type { Awaitable, Clock, Engine, Guard, NodeReport, Observer } from "../domain/ports.ts";
import type { TrafficMeter } from "../domain/traffic.ts";
import type { Protocol } from "../domain/transport.ts";
import type { Channels } from "./channels.ts";
import type { ScheduleTurn } from "./turn-queue.ts";

export interface HubOptions {
  readonly engine: Engine;
  readonly protocols: readonly Protocol[];
  readonly clock: Clock;
  readonly scheduleTurn: ScheduleTurn;
  readonly limits: HubLimits;
  readonly guards?: readonly Guard[];
  readonly observers?: readonly Observer[];
  /** Resolves when the observers have written what they were notified of, as far as any of them writes. Never rejects. */
  readonly observersFlushed?: () => Promise<void>;
  /** Counts frames. */
  readonly traffic?: TrafficMeter;
  /** What the program puts around commands; looked at for each one, and free where there is nothing. */
  readonly middleware?: CommandMiddleware;
  /** The program's own commands. */
  readonly handleCall?: (connection: Connection, event: string, data: unknown) => Awaitable<unknown>;
  /** The program's word on a channel for which the client has no other permission. Only `true` or a member lets it in. */
  readonly authorize?: (connection: Connection, channel: string) => Awaitable<boolean | Member | undefined>;
  readonly authenticate?: Authenticate;
  /** What this node says of itself; the hub adds what it knows. */
  readonly node: () => Omit<NodeReport, "connections">;
  /** For changes in apps that no client of this node uses. */
  readonly appById?: (id: string) => Awaitable<App | undefined>;
  /** Outlives the hub, so that what a program made of its channels does. */
  readonly channels?: Channels;
}

export interface CommandMiddleware {
  readonly command:
    | ((connection: Connection, command: Command, perform: (command: Command) => Awaitable<void>) => Promise<void>)
    | undefined;
}

/** The user that the credentials identify: false where they are refused, undefined where the program has no authenticator. */
export type Authenticate = (
  app: App,
  credentials: Readonly<Record<string, unknown>>,
) => Awaitable<User | false | undefined>;

export interface HubLimits {
  /** Connections of this node, over all apps. */
  readonly connections: number;
  /** What says so, where that is not `limits.connections`. */
  readonly connectionsLimitName?: string;
  /** Frames of one connection that may wait for their turn, and their bytes. */
  readonly waitingCommands: number;
  readonly waitingBytes: number;
  readonly frameBytes: number;
  /** Most that is handed to one newcomer of what it missed, and most that waits while a gap is filled. */
  readonly outboundBufferBytes: number;
  readonly activityTimeoutS: number;
  readonly pongTimeoutS: number;
  /** How far a reader may be behind. */
  readonly readerLagS: number;
  /** How long an engine makes a publication wait before it refuses it. */
  readonly publishWaitS: number;
}
