/** A client that sends on before it is answered keeps its order: what comes after a publication that was refused for the moment is refused as well. */

import type { Connection } from "../domain/connection.ts";
import type { CommandError } from "../domain/error.ts";
import type { Command } from "../domain/message.ts";
import { isIdempotencyKey } from "./idempotency-keys.ts";

type Publish = Extract<Command, { type: "publish" }>;

/** Of the latest refusals. A client has fewer commands under way, or repeats what is forgotten in whatever order. */
const MOST = 64;

/** Throws what the one before it was refused with, unless that one has been sent again since. */
export function checkOrder(connection: Connection, { channel, key, afterKey }: Publish): void {
  const { refusedPublishes } = connection;
  if (!refusedPublishes) return;
  const refusal = afterKey !== undefined && refusedPublishes.get(nameOf(channel, afterKey));
  if (refusal) throw refusal;
  if (key !== undefined) refusedPublishes.delete(nameOf(channel, key));
  if (refusedPublishes.size === 0) connection.refusedPublishes = undefined;
}

/** A command was refused: what the client sent to come after it waits for it, if it will send it again. */
export function noteRefusal(connection: Connection, command: Command | undefined, error: CommandError): void {
  if (command?.type !== "publish" || command.key === undefined) return;
  if (error.code !== "engine_unavailable" && error.code !== "rate_limited") return;
  // It may be refused before anybody looks at its names, which would be remembered however long they are.
  if (!connection.isIn(command.channel) || !isIdempotencyKey(command.key)) return;
  connection.refusedPublishes ??= new Map();
  const { refusedPublishes } = connection;
  refusedPublishes.set(nameOf(command.channel, command.key), error);
  const [oldest] = refusedPublishes.keys();
  if (refusedPublishes.size > MOST && oldest !== undefined) refusedPublishes.delete(oldest);
}

function nameOf(channel: string, key: string): string {
  return JSON.stringify([channel, key]);
}
