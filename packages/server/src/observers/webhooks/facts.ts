/** Which facts are worth a webhook, how the protocol spells them, and who of the app's receivers wants to hear them. */

import type { App, Webhook, WebhookEventName } from "../../domain/app.ts";
import { isInternal, matches, traitsOf } from "../../domain/channel.ts";
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

export interface Fact {
  readonly app: App;
  readonly event: WebhookEvent;
  /** What it would undo, or be undone by: the same words for a coming and its going. */
  readonly undo?: string;
  /** It takes back a going that was not told yet, and then neither is told. */
  readonly isReturn: boolean;
}

/** Undefined for what no webhook speaks of. */
export function factOf(happened: HubEvent): Fact | undefined {
  switch (happened.type) {
    case "occupied":
      return coming(happened.app, { name: "channel_occupied", channel: happened.channel });
    case "vacated":
      return going(happened.app, { name: "channel_vacated", channel: happened.channel });
    case "joined":
      return coming(happened.app, { name: "member_added", channel: happened.channel, user_id: happened.member.id });
    case "left":
      return going(happened.app, { name: "member_removed", channel: happened.channel, user_id: happened.member.id });
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

export function wants({ events, channels }: Webhook, { name, channel }: WebhookEvent): boolean {
  if (events && !events.includes(name)) return false;
  if (!channels) return true;
  const { prefix = "", suffix = "", pattern = "*" } = channels;
  return channel.startsWith(prefix) && channel.endsWith(suffix) && matches(pattern, channel);
}

function plain(app: App, event: WebhookEvent): Fact | undefined {
  return isInternal(event.channel) ? undefined : { app, event, isReturn: false };
}

function coming(app: App, event: WebhookEvent): Fact | undefined {
  const fact = plain(app, event);
  return fact && { ...fact, undo: subjectOf(event), isReturn: true };
}

function going(app: App, event: WebhookEvent): Fact | undefined {
  const fact = plain(app, event);
  return fact && { ...fact, undo: subjectOf(event) };
}

function subjectOf({ channel, user_id }: WebhookEvent): string {
  return JSON.stringify(user_id === undefined ? [channel] : [channel, user_id]);
}

/** What clients say among themselves; who said it is named in presence channels only. */
function clientEvent({ app, publication }: Extract<HubEvent, { type: "published" }>): Fact | undefined {
  const { from, channel, event, data } = publication;
  if (!from || isInternal(channel)) return undefined;
  const user = traitsOf(channel).presence && from.user !== undefined ? { user_id: from.user } : {};
  return plain(app, { name: "client_event", channel, event, data, socket_id: from.connection, ...user });
}
