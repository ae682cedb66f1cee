/** Publish: what a client says to a channel it is in, where the channel's policy lets it. */

import type { Channel } from "../../domain/channel.ts";
import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Command, EventPublication, Position } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { andThen } from "../awaitable.ts";
import { isWatching } from "../grants.ts";
import type { Hub } from "../hub.ts";
import { checkIdempotencyKey } from "../idempotency-keys.ts";
import { checkEventData, checkEventName, takeEventToken } from "../limits.ts";
import { checkOrder } from "../publish-order.ts";

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
