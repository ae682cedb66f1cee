/** Publish: what a client says to a channel it is in, where the channel's policy lets it, and in the order in which it says it. */

import type { Channel } from "../../domain/channel.ts";
import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command, EventPublication, Position } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { andThen } from "../awaitable.ts";
import { isWatching } from "../grants.ts";
import type { Hub } from "../hub.ts";
import { checkIdempotencyKey, isIdempotencyKey } from "../idempotency-keys.ts";
import { checkEventData, checkEventName, takeEventToken } from "../limits.ts";

type Publish = Extract<Command, { type: "publish" }>;

export function publish(hub: Hub, connection: Connection, command: Publish, nowMs: number): Awaitable<void> {
  checkOrder(connection, command);
  checkLimits(connection, command, nowMs);
  const channel = connection.nameOf(command.channel);
  if (channel === undefined) {
    const message = `No current subscription to channel ${command.channel}, or one in progress.`;
    throw new CommandError("not_subscribed", message);
  }
  checkPermission(hub, connection, channel, command.event);
  const position = act(hub, connection, channel, command);
  if (!(position instanceof Promise)) return answer(hub, connection, command, position);
  return position.then((late) => answer(hub, connection, command, late));
}

function checkLimits(connection: Connection, { event, data, key }: Publish, nowMs: number): void {
  const { app } = connection;
  takeEventToken(connection, nowMs);
  checkEventName(app, event);
  checkEventData(app, data);
  if (key !== undefined) checkIdempotencyKey(key);
}

function checkPermission(hub: Hub, connection: Connection, channel: string, event: string): void {
  const granted = connection.grants?.get(channel)?.publish;
  if (granted === false) {
    throw new CommandError("publish_forbidden", `This client may read channel ${channel} and not publish in it.`);
  }
  if (granted) return;
  const found = hub.channelOf(connection.app, channel);
  if (isWatching(connection, found)) {
    throw new CommandError("publish_forbidden", "A connection that watches a channel may not publish in it.");
  }
  const { clientPublish } = found.policy;
  if (clientPublish === "any") return;
  if (clientPublish === "none") throw new CommandError("publish_forbidden", whyNot(connection, found));
  if (event.startsWith("client-")) return;
  throw new CommandError("publish_forbidden", "The name of an event that a client publishes begins with client- here.");
}

function whyNot({ app }: Connection, { traits, hasOwnClientPublish }: Channel): string {
  if (hasOwnClientPublish)
    return `The rule for this channel does not allow clients to publish (clientPublish is "none").`;
  if (!app.clientEvents) return "This app does not allow clients to publish (clientEvents is off).";
  if (traits.encrypted) return "Clients cannot publish in encrypted channels.";
  return "Clients may publish in private and presence channels only, unless the channel's policy says otherwise.";
}

function act(hub: Hub, connection: Connection, channel: string, command: Publish): Awaitable<Position | undefined> {
  const { event, data } = command;
  const user = connection.memberIn(channel)?.id ?? connection.user?.id;
  const publication: EventPublication = {
    type: "event",
    app: connection.app.id,
    channel,
    event,
    data,
    except: [connection.id],
    from: user === undefined ? { connection: connection.id } : { connection: connection.id, user },
  };
  if (!connection.app.hooks?.publish) return hub.publish(connection.app, publication, command.key);
  return andThen(hub.deciders.moderate?.(connection, publication), (passed) =>
    passed ? hub.publish(connection.app, passed, command.key) : undefined,
  );
}

/** Only a command with a `ref` is answered. */
function answer(hub: Hub, connection: Connection, command: Publish, position: Position | undefined): void {
  const { channel, ref } = command;
  if (ref === undefined) return;
  hub.push(connection, { type: "published", channel, ref, ...(position && { position }) });
}

// ---- a client that sends on before it is answered keeps its order: what comes after a publication that was refused for the moment is refused as well

/** Of the latest refusals. A client has fewer commands under way, or repeats what is forgotten in whatever order. */
const MOST_REFUSED = 64;

/** Throws what the one before it was refused with, unless that one has been sent again since. */
function checkOrder(connection: Connection, { channel, key, afterKey }: Publish): void {
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
  if (refusedPublishes.size > MOST_REFUSED && oldest !== undefined) refusedPublishes.delete(oldest);
}

function nameOf(channel: string, key: string): string {
  return JSON.stringify([channel, key]);
}
