/** A connection that outlives its HTTP requests. */

import type { Connection } from "../../domain/connection.ts";
import type { Disconnect } from "../../domain/error.ts";
import type { CommandQueue } from "./commands.ts";
import type { HttpSocket } from "./http-socket.ts";

export interface Session {
  readonly id: string;
  /** The page's, which all of its requests have in common. */
  readonly origin: string | null;
  readonly socket: HttpSocket;
  /** Undefined where it was not let in: then the socket has the reason, and is closed. */
  readonly connection: Connection | undefined;
  /** Why it was not let in. */
  readonly refusal: Disconnect | undefined;
  /** Settles when what the client sent so far is handled. */
  sending: Promise<unknown>;
  /** What a client sends that numbers its commands. */
  readonly commands: CommandQueue;
  /** When other nodes were last told that it is here; undefined where its id says so. */
  notedAtMs: number | undefined;
}
