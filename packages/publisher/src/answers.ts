/** What the server answers to questions, in the names of this package. */

import type { EventData, EventName } from "@fanfare/schema";

/** A place in a channel's history: after the event with this offset. Epochs differ when a history was lost, so offsets of two do not compare. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

export interface HistoryEvent<T = unknown> {
  readonly event: string;
  /** Parsed where it is JSON, else the text. */
  readonly data: T;
  readonly position: Position;
  /** When it was published, in Unix milliseconds by the engine's clock. */
  readonly atMs: number;
  /** Seconds for which it will be kept. */
  readonly expiresInS: number;
  /** If a client published it: its connection's id. */
  readonly connectionId?: string;
  /** If a signed-in client published it: the user's id. */
  readonly userId?: string;
}

export interface History<T = unknown> {
  /** Oldest first. */
  readonly events: readonly HistoryEvent<T>[];
  /** Of the channel's newest event. */
  readonly position: Position;
  /** The `cursor` of the next page in this direction; undefined at the end. */
  readonly next: string | undefined;
  /** Whether nothing that belongs in the page is lost or expired; false where that cannot be shown. */
  readonly isComplete: boolean;
  /** How many events the channel keeps, and each for how many seconds; undefined if it keeps none. */
  readonly keeps: { readonly size: number; readonly ttlS: number } | undefined;
}

/** A union of what is declared for the channel: `event` says which one an event is, and so what its `data` is. It is not checked. */
export type DeclaredHistory<D, N extends string> = Omit<History, "events"> & {
  readonly events: readonly DeclaredEvent<D, N, EventName<D, N>>[];
};

type DeclaredEvent<D, N extends string, E extends string> = string extends E
  ? HistoryEvent
  : E extends unknown
    ? HistoryEvent<EventData<D, N, E>> & { readonly event: E }
    : never;

export interface ChannelInfo {
  readonly channel: string;
  /** Connections that are subscribed. */
  readonly subscriptions: number;
  /** Users, in presence channels. */
  readonly members?: number;
}

export interface ChannelMember {
  readonly id: string;
  /** What the app says of the user. */
  readonly info?: unknown;
  /** What the user's clients say of it, unchecked: any JSON value. */
  readonly state?: unknown;
  /** Unix milliseconds. */
  readonly joinedAtMs: number;
}

interface HistoryAnswer {
  readonly events: readonly {
    readonly name: string;
    readonly data: string;
    readonly position: Position;
    readonly at_ms: number;
    readonly ttl: number;
    readonly socket_id?: string;
    readonly user_id?: string;
  }[];
  readonly position: Position;
  readonly next: string | null;
  readonly complete: boolean;
  readonly keeps: { readonly size: number; readonly ttl: number } | null;
}

export function historyFrom<T>(answer: unknown): History<T> {
  const { events, position, next, complete, keeps } = answer as HistoryAnswer;
  return {
    events: events.map(eventFrom<T>),
    position,
    next: next ?? undefined,
    isComplete: complete,
    keeps: keeps ? { size: keeps.size, ttlS: keeps.ttl } : undefined,
  };
}

function eventFrom<T>({
  name,
  data,
  position,
  at_ms,
  ttl,
  socket_id,
  user_id,
}: HistoryAnswer["events"][number]): HistoryEvent<T> {
  return {
    event: name,
    data: parsed(data) as T,
    position,
    atMs: at_ms,
    expiresInS: ttl,
    ...(socket_id !== undefined && { connectionId: socket_id }),
    ...(user_id !== undefined && { userId: user_id }),
  };
}

interface CountsAnswer {
  readonly subscription_count: number;
  readonly user_count?: number;
}

export function channelInfoFrom(channel: string, answer: unknown): ChannelInfo {
  const { subscription_count, user_count } = answer as CountsAnswer;
  return { channel, subscriptions: subscription_count, ...(user_count !== undefined && { members: user_count }) };
}

interface MembersAnswer {
  readonly members: readonly (Omit<ChannelMember, "joinedAtMs"> & { readonly joined_at_ms: number })[];
}

export function membersFrom(answer: unknown): ChannelMember[] {
  const { members } = answer as MembersAnswer;
  return members.map(({ joined_at_ms: joinedAtMs, ...member }) => ({ ...member, joinedAtMs }));
}

/** Where an event that was published stands, by channel; empty where the server does not say. */
export function positionsIn(answer: unknown): Readonly<Record<string, Position>> {
  const { channels = {} } = answer as { channels?: Readonly<Record<string, { readonly position?: Position }>> };
  const known = Object.entries(channels).flatMap(([name, { position }]) =>
    position ? [[name, position] as const] : [],
  );
  return Object.fromEntries(known);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
