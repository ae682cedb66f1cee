/** Which facts are worth a webhook, how the protocol spells them, and who of the app's receivers wants to hear them. */

import { randomUUID } from "node:crypto";
import type { App, Webhook, WebhookEventName } from "../../domain/app.ts";
import { isInternal, matches, traitsOf } from "../../domain/channel.ts";
import { about, hookBody, members } from "../../domain/hook-body.ts";
import type { HubEvent } from "../../domain/hub-event.ts";

/** Pusher protocol, webhooks. */
export interface WebhookEvent {
  readonly name: WebhookEventName;
  readonly channel: string;
  readonly user_id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly socket_id?: string;
  readonly subscription_count?: number;
}

/** The hook `disconnect`: what its receiver is posted, as it is. */
export interface DisconnectHook {
  readonly hook: "disconnect";
  /** In order with what else is sent of the same; here the connection. */
  readonly channel: string;
  readonly body: string;
}

/** In place of an address, which may be another by the time it is sent. No webhook has it. */
export const DISCONNECT_TARGET = "hook:disconnect";

export interface Notification {
  readonly app: App;
  readonly event: WebhookEvent | DisconnectHook;
  /** Who it is about: the same for an arrival and the departure that it cancels. */
  readonly cancelKey?: string;
  /** It cancels a departure that was not sent yet, and then neither is sent. */
  readonly isArrival: boolean;
}

/** Undefined for what no webhook speaks of. */
export function notificationOf(happened: HubEvent): Notification | undefined {
  switch (happened.type) {
    case "occupied":
      return arrival(happened.app, { name: "channel_occupied", channel: happened.channel });
    case "vacated":
      return departure(happened.app, { name: "channel_vacated", channel: happened.channel });
    case "joined":
      return arrival(happened.app, { name: "member_added", channel: happened.channel, user_id: happened.member.id });
    case "left":
      return departure(happened.app, {
        name: "member_removed",
        channel: happened.channel,
        user_id: happened.member.id,
      });
    case "published":
      return clientEvent(happened);
    case "missed":
      return plain(happened.app, { name: "cache_miss", channel: happened.channel });
    case "counted": {
      const { app, channel, count } = happened;
      return plain(app, { name: "subscription_count", channel, subscription_count: count });
    }
    default:
      return undefined;
  }
}

/** Undefined where the app is not to be told. `nowMs`: by the wall, and by the clock that the connection's age is measured with. */
export function disconnectOf(
  { connection, code, why }: Extract<HubEvent, { type: "closed" }>,
  nowMs: { readonly wall: number; readonly monotonic: number },
): Notification | undefined {
  const { id, app, openedAtMs, awaitsAuthentication } = connection;
  if (!app.hooks?.disconnect || awaitsAuthentication) return undefined;
  const ended = members({
    code: String(code),
    why: JSON.stringify(why?.code ?? null),
    seconds: String(Math.max(0, Math.round((nowMs.monotonic - openedAtMs) / 1000))),
  });
  const body = hookBody(app, "disconnect", randomUUID(), nowMs.wall, `${about(connection)},${ended}`);
  return { app, event: { hook: "disconnect", channel: id, body }, isArrival: false };
}

export function wants({ events, channels }: Webhook, { name, channel }: WebhookEvent): boolean {
  if (events && !events.includes(name)) return false;
  if (!channels) return true;
  const { prefix = "", suffix = "", pattern = "*" } = channels;
  return channel.startsWith(prefix) && channel.endsWith(suffix) && matches(pattern, channel);
}

function plain(app: App, event: WebhookEvent): Notification | undefined {
  return isInternal(event.channel) ? undefined : { app, event, isArrival: false };
}

function arrival(app: App, event: WebhookEvent): Notification | undefined {
  const notification = plain(app, event);
  return notification && { ...notification, cancelKey: subjectOf(event), isArrival: true };
}

function departure(app: App, event: WebhookEvent): Notification | undefined {
  const notification = plain(app, event);
  return notification && { ...notification, cancelKey: subjectOf(event) };
}

function subjectOf({ channel, user_id }: WebhookEvent): string {
  return JSON.stringify(user_id === undefined ? [channel] : [channel, user_id]);
}

/** What clients say among themselves; who said it is named in presence channels only. */
function clientEvent({ app, publication }: Extract<HubEvent, { type: "published" }>): Notification | undefined {
  const { from, channel, event, data } = publication;
  if (!from || isInternal(channel)) return undefined;
  const user = traitsOf(channel).presence && from.user !== undefined ? { user_id: from.user } : {};
  return plain(app, { name: "client_event", channel, event, data, socket_id: from.connection, ...user });
}
