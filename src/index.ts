/** What programs import: a server to embed, the types it speaks of, and the errors it throws. */

import { type ConfigInput, parseConfig } from "./config/load.ts";
import type { User } from "./domain/message.ts";
import { Server } from "./server/server.ts";
import type { AnyEvents } from "./server/types.ts";

/**
 * Makes a server; `start()` makes it listen. Throws ConfigError, one line for each problem. `E` declares the events by
 * name with their payloads, `U` the users, for the compiler only.
 */
export function createServer<E extends object = AnyEvents, U extends User = User>(
  options: ConfigInput = {},
): Server<E, U> {
  return new Server<E, U>(parseConfig(options));
}

export type { ChannelOptions } from "./config/channel.ts";
export { type Config, ConfigError, type ConfigInput, defineConfig } from "./config/load.ts";
export type { App } from "./domain/app.ts";
export type { Connection } from "./domain/connection.ts";
export { CommandError, type CommandErrorCode, Disconnect, type DisconnectCode } from "./domain/error.ts";
export type { Member, Presence, User } from "./domain/message.ts";
export type { Connections } from "./server/connections.ts";
export type { Server } from "./server/server.ts";
export type { Target } from "./server/target.ts";
export type { ChannelInfo, ChannelStats, PresenceList, Present, Tenancy } from "./server/tenancy.ts";
export type {
  Authenticator,
  Client,
  Ending,
  Handler,
  HookTypes,
  Message,
  NewMember,
  NewUser,
  Pushable,
} from "./server/types.ts";
