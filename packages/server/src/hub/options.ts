/** What a hub is built from. */

import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import type { Command, EventPublication, User } from "../domain/message.ts";
import type { Awaitable, Clock, Engine, Guard, NodeReport, Observer } from "../domain/ports.ts";
import type { TrafficMeter } from "../domain/traffic.ts";
import type { Protocol } from "../domain/transport.ts";
import type { Channels } from "./channels.ts";
import type { Grant, Permission } from "./grants.ts";
import type { ScheduleTurn } from "./turn-queue.ts";

export interface HubOptions {
  readonly engine: Engine;
  readonly protocols: readonly Protocol[];
  readonly clock: Clock;
  readonly scheduleTurn: ScheduleTurn;
  readonly limits: HubLimits;
  readonly guards?: readonly Guard[];
  /** Of what concerns apps of the server's own use, they observe only failures. */
  readonly observers?: readonly Observer[];
  /** After those: of every app. */
  readonly observersOfAll?: readonly Observer[];
  /** Resolves when the observers have written what they were notified of, as far as any of them writes. Never rejects. */
  readonly observersFlushed?: () => Promise<void>;
  /** Counts frames. */
  readonly traffic?: TrafficMeter;
  /** What the program puts around commands; looked at for each one, and free where there is nothing. */
  readonly middleware?: CommandMiddleware;
  readonly deciders?: Deciders;
  /** What this node says of itself; the hub adds what it knows. */
  readonly node: () => Omit<NodeReport, "connections">;
  /** For changes in apps that no client of this node uses. */
  readonly appById?: (id: string) => Awaitable<App | undefined>;
  /** Outlives the hub, so that what a program made of its channels does. */
  readonly channels?: Channels;
}

/** Who decides what the hub cannot: the embedding program, or the app's back end. Each is absent where nobody does. */
export interface Deciders {
  /** The program's own commands. */
  readonly handleCall?: (connection: Connection, event: string, data: unknown) => Awaitable<unknown>;
  /**
   * The word of the program, or of the app's back end, on a channel for which the client has no other permission. Only `true` or
   * a permission lets it in.
   */
  readonly authorize?: (connection: Connection, command: Subscribe) => Awaitable<boolean | Permission | undefined>;
  /** The same of the back end for a client that may subscribe, where the app wants it asked. `undefined` changes nothing. */
  readonly confirm?: (connection: Connection, command: Subscribe) => Awaitable<Permission | undefined>;
  /** Whether the client may see the members of a presence channel without being one. Only `true` or a grant lets it. */
  readonly authorizeWatching?: (connection: Connection, command: Subscribe) => Awaitable<boolean | Grant | undefined>;
  readonly authenticate?: Authenticate;
  /** What becomes of a client's event; undefined where it goes nowhere. Asked only where the app has the hook. */
  readonly moderate?: (
    connection: Connection,
    publication: EventPublication,
  ) => Awaitable<EventPublication | undefined>;
  /** What the back end says of a connection whose token ends. Asked only where the app has the hook. */
  readonly refresh?: (connection: Connection) => Promise<Refreshed>;
}

export interface CommandMiddleware {
  readonly command:
    | ((connection: Connection, command: Command, perform: (command: Command) => Awaitable<void>) => Promise<void>)
    | undefined;
}

type Subscribe = Extract<Command, { type: "subscribe" }>;

/** The back end's answer: until when it goes on, as the same user. "unknown" where it could not be asked. Throws Disconnect. */
export type Refreshed = { readonly user: User | undefined; readonly expiresAtMs: number | undefined } | "unknown";

/** What became of the token that a client brought. */
export interface TokenClaim {
  readonly text: string;
  /** Undefined where it is refused. */
  readonly user?: User;
  /** JSON text. */
  readonly claims?: string;
  /** Why it is refused: ends the sentence "the token is refused: …". */
  readonly refused?: string;
}

/** The back end of apps with hooks, before a client is welcome. Throws Disconnect. */
export interface BackEndAtDoor {
  /** Notes what the back end is sent of the handshake. */
  prepare(request: Request, connection: Connection): void;
  /** Who the client is, where the back end or its token says so. A client that is to say so by its first frame is asked about then. */
  connect(request: Request, connection: Connection, claim: TokenClaim | undefined): Awaitable<User | undefined>;
  connectByFrame(connection: Connection, claim: TokenClaim): Awaitable<User | undefined>;
  /** The user of a token that a welcome brought; undefined where it is none. Throws what ends "the token is refused: …". */
  readReconnectToken(connection: Connection, token: string): Promise<User | undefined>;
}

/** The user that the credentials identify: false where they are refused, undefined where nobody could be asked. */
export type Authenticate = (
  connection: Connection,
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
  /** How long it keeps clients that are signed in or in private channels while the engine is away. Absent: as long as it takes. */
  readonly accessDoubtS?: number;
}
