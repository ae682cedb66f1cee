/** Channels, as calls answer about them. A part of `api-types.ts`. */

import type { Position } from "../domain/message.ts";
import type { ConnectionEntry, Payload } from "./live-types.ts";

export const CHANNEL_KINDS = ["public", "private", "presence", "encrypted", "cache"] as const;
/** A channel is of the first three kinds one, and may be of the others as well. */
export type ChannelKindFilter = (typeof CHANNEL_KINDS)[number];

/**
 * GET api/channels, of all apps, and GET api/apps/:app/channels: of the whole cluster, most subscribers first. Parameters: `search`
 * (a part of the name, or with `*` the whole), `kind`, `group=pattern` (channels of a pattern are one row), `pattern` (only its
 * channels), `sort=name`, `first` (up to 50 times `APP/CHANNEL`: these, or their patterns, come first), `offset`, `limit=500`.
 */
export interface ChannelList {
  readonly channels: readonly ChannelEntry[];
  /** How many rows there are, listed or not. */
  readonly total: number;
  /** How many channels fit everything but the kind, and of which kinds they are. */
  readonly matching: number;
  readonly kinds: Readonly<Record<ChannelKindFilter, number>>;
}

/** A channel, or several of the same pattern together. */
export interface ChannelEntry {
  readonly app: string;
  /** The pattern, where there are several. */
  readonly name: string;
  /** How many of the pattern there are; absent for a channel. */
  readonly channels?: number;
  readonly kind: "public" | "private" | "presence";
  readonly encrypted: boolean;
  readonly cache: boolean;
  /** Connections. */
  readonly subscribers: number;
  /** Distinct users, in presence channels. */
  readonly users?: number;
  /** What is kept: so many events, each for so long. Absent where nothing is. */
  readonly history?: { readonly size: number; readonly ttlS: number };
}

/** GET api/apps/:app/channel?name=… (the name is a parameter, because it may hold any character). 404 where it has no subscriber. */
export interface ChannelDetail extends ChannelEntry {
  /** At most 1000; `users` says how many there are. */
  readonly members: readonly MemberEntry[];
  /** Stored events, oldest first: a cache channel's last one, or the last 50 of a channel with history. */
  readonly kept: readonly KeptEvent[];
  /** Of all nodes, at most 100. */
  readonly connections: readonly ConnectionEntry[];
  readonly rules: ChannelRules;
}

export interface ChannelRules {
  /** The first of the app's rules that fits the name, and which one it is; absent where none does. */
  readonly matched?: { readonly match: string; readonly number: number };
  /** How many rules the app has. */
  readonly count: number;
  /** What applies to the channel, as the configuration spells it. */
  readonly policy: Readonly<Record<string, unknown>>;
}

/** GET api/apps/:app/history?name=…&before=EPOCH:OFFSET&limit=50: what is kept of a channel, subscribed to or not. */
export interface ChannelHistory {
  /** Oldest first. */
  readonly events: readonly KeptEvent[];
  /** Where the channel stands; absent where it has no history. */
  readonly position?: Position;
  /** `before` of what is older; absent where that is all. */
  readonly next?: Position;
}

export interface MemberEntry {
  readonly id: string;
  readonly info: Payload;
  /** What the user's clients say of it; absent where they say nothing. */
  readonly state?: Payload;
  readonly joinedAtMs: number;
}

export interface KeptEvent {
  readonly event: string;
  readonly payload: Payload;
  /** Absent of what a cache channel without history keeps. */
  readonly position?: Position;
  readonly atMs?: number;
  /** Whose event it was, where a client published it. */
  readonly user?: string;
  readonly connection?: string;
}

const PREFIX = /^(?:private-(?:encrypted-)?|presence-)?(?:cache-)?/;
const UUID = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/gi;
const SEPARATORS = /([-_.:/|@,;=]+)/;

/**
 * Channels whose names differ only in what looks like an id, or in their last part, are listed together under a pattern:
 * `private-orders.*` of `private-orders.8841`, `chat.*` of `chat.en`; the name itself where it has one part only.
 */
export function patternOf(name: string): string {
  const prefix = PREFIX.exec(name)?.[0] ?? "";
  const parts = name.slice(prefix.length).replace(UUID, "*").split(SEPARATORS);
  if (parts.length < 2) return parts[0] === "*" ? `${prefix}*` : name;
  const hidden = parts.map((part, at) => (at % 2 === 0 && (part === "*" || (at > 0 && /\d/.test(part))) ? "*" : part));
  if (!hidden.includes("*")) hidden[hidden.length - 1] = "*";
  return prefix + hidden.join("").replace(/\*(?:[-_.:/|@,;=]+\*)+/g, "*");
}
