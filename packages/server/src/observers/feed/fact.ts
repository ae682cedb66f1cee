/** What the dashboard makes of a fact: first only its names, to see who wants it; then, if it is shown, all of it. */

import type { FeedEntry, FeedType } from "../../admin/api-types.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import { shown, shownReason } from "./payload.ts";
import { signedIn } from "./signed.ts";

/** By these it is chosen. */
export interface Fact {
  readonly type: FeedType;
  readonly app?: string | undefined;
  readonly channel?: string | undefined;
  readonly event?: string | undefined;
  readonly connection?: string | undefined;
}

/** What became of webhook events, which the hub does not know of. */
export interface WebhookOutcome {
  readonly type: "webhook";
  readonly app: string;
  readonly outcome: string;
  readonly count: number;
}

export type Happening = HubEvent | WebhookOutcome;

/** Undefined for what nobody is shown. Called for each fact while anybody watches: it may only pick. */
export function factOf(happening: Happening): Fact | undefined {
  switch (happening.type) {
    case "opened":
    case "closed": {
      const { id, app } = happening.connection;
      return { type: happening.type === "opened" ? "connected" : "disconnected", app: app.id, connection: id };
    }
    case "subscribed":
    case "unsubscribed": {
      const { connection, channel, type } = happening;
      return { type, app: connection.app.id, connection: connection.id, channel };
    }
    case "occupied":
    case "vacated":
    case "gap":
      return { type: happening.type, app: happening.app.id, channel: happening.channel };
    case "missed":
      return { type: "cache_miss", app: happening.app.id, channel: happening.channel };
    case "joined":
    case "left": {
      const type = happening.type === "joined" ? "member_added" : "member_removed";
      return { type, app: happening.app.id, channel: happening.channel };
    }
    case "published": {
      const { channel, event, from } = happening.publication;
      const type = from ? "client_event" : "api_message";
      return { type, app: happening.app.id, channel, event, connection: from?.connection };
    }
    case "refused": {
      const { connection, command, error } = happening;
      const channel = command && "channel" in command ? command.channel : error.about?.channel;
      const event = command && "event" in command ? command.event : undefined;
      // It may be the name that was refused.
      const names = { channel: channel?.slice(0, LONGEST_NAME), event: event?.slice(0, LONGEST_NAME) };
      return { type: "refused", app: connection.app.id, connection: connection.id, ...names };
    }
    case "api-refused":
      return { type: "refused", app: happening.app?.id };
    case "rejected":
      return { type: "turned_away", app: happening.app?.id };
    case "failed":
      return { type: "error", app: happening.connection?.app.id, connection: happening.connection?.id };
    case "webhook":
      return { type: "webhook", app: happening.app, event: happening.outcome };
    // Its end comes right after it.
    case "slow-consumer":
    case "counted":
      return undefined;
  }
}

/** Everything there is to show of it, its payload up to so many characters. */
export function entryOf(fact: Fact, happening: Happening, id: string, atMs: number, longest: number): FeedEntry {
  const { app, channel, event, connection } = fact;
  return {
    ...{ id, type: fact.type, atMs },
    ...(app !== undefined && { app }),
    ...(channel !== undefined && { channel }),
    ...(event !== undefined && { event }),
    ...(connection !== undefined && { connection }),
    ...more(happening, longest),
  };
}

type More = Pick<FeedEntry, "user" | "address" | "why" | "payload" | "signed">;

/** Longest path of a call and longest name, in characters. */
const LONGEST_PATH = 200;
const LONGEST_NAME = 300;

function more(happening: Happening, longest: number): More {
  switch (happening.type) {
    case "opened":
      return { ...userOf(happening.connection.user), address: happening.connection.address };
    case "closed": {
      const { connection, code, why } = happening;
      const reason = why ? `${why.code}: ${why.message}` : "the client left";
      return { ...userOf(connection.user), address: connection.address, why: `${code} ${reason}` };
    }
    case "subscribed":
    case "unsubscribed":
      return userOf(happening.connection.user);
    case "joined":
      return { user: happening.member.id, payload: shown(happening.member.info, longest) };
    case "left":
      return { user: happening.member.id };
    case "published": {
      const { data, from } = happening.publication;
      return { ...(from?.user !== undefined && { user: from.user }), payload: shown(data, longest) };
    }
    case "refused": {
      const { connection, error, command } = happening;
      const why = `${command?.type ?? "a frame"}: ${shownReason(error.message)}`;
      return { ...userOf(connection.user), why, ...signedIn(happening, longest) };
    }
    case "api-refused": {
      const { method, path, status, error, address } = happening;
      const place = path.replace(/\?.*$/s, "").slice(0, LONGEST_PATH);
      return {
        address,
        why: `${method} ${place}: ${status} ${shownReason(error.message)}`,
        ...signedIn(happening, longest),
      };
    }
    case "rejected":
      return { address: happening.address, why: `${happening.why.code}: ${shownReason(happening.why.message)}` };
    case "failed": {
      const { error, during } = happening;
      return { why: `${during}: ${shownReason(error instanceof Error ? error.message : String(error))}` };
    }
    case "webhook":
      return { why: `${happening.count} ${happening.outcome}` };
    default:
      return {};
  }
}

function userOf(user: { readonly id: string } | undefined): Pick<FeedEntry, "user"> {
  return user ? { user: user.id } : {};
}
