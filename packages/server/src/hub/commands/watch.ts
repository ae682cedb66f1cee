/** Watching a presence channel: to see its members without being one of them. Nobody may unless somebody says so. */

import type { Channel } from "../../domain/channel.ts";
import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { andThen } from "../awaitable.ts";
import { mayWatch, type Permission } from "../grants.ts";
import type { Hub } from "../hub.ts";

type Subscribe = Extract<Command, { type: "subscribe" }>;

/**
 * The user's token decides, then the program, or the app's back end, which may have the last word. A signature is for members, and
 * says nothing about it.
 */
export function permitWatching(
  hub: Hub,
  connection: Connection,
  command: Subscribe,
  { name, traits }: Channel,
): Awaitable<Permission> {
  if (!traits.presence) throw new CommandError("channel_invalid", "Only presence channels can be watched.");
  const isGranted = mayWatch(connection.user, name);
  const isAsked = !isGranted || connection.app.hooks?.subscribe?.when === "always";
  return andThen(isAsked ? hub.deciders.authorizeWatching?.(connection, command) : undefined, (verdict) => {
    const isAllowed = verdict === undefined ? isGranted : verdict === true || typeof verdict === "object";
    if (!isAllowed) {
      const message = `To watch channel ${name} needs permission: a token that names it in watch, or the app's back end.`;
      throw new CommandError("unauthorized", message);
    }
    if (isGranted) {
      connection.grantedByToken ??= new Set();
      connection.grantedByToken.add(name);
    }
    connection.isAuthenticated = true;
    return typeof verdict === "object" ? { expiresAtMs: verdict.expiresAtMs } : {};
  });
}
