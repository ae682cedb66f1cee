/** Who is connected, as the dashboard asks for it. A part of `api-types.ts`; of the server it imports words only. */

import type { ConnectionEntry, FeedEntry, Identity, Payload } from "./live-types.ts";

/**
 * GET api/people?app=&search=&after=&limit=100: users of all nodes, by app and id; without `app` of all apps. `search` is the
 * beginning of an id, of a word of the name, or of the id or the address of a connection.
 */
export interface PeopleList {
  readonly people: readonly PersonEntry[];
  /** What the next page begins after; absent where this is the last. */
  readonly next?: string;
  /** How many match. Where not all are listed, who has connections on several nodes counts on each. */
  readonly total: number;
  readonly connections: number;
  /** Connections that are neither signed in nor a member of a presence channel. */
  readonly anonymous: number;
  /** Nodes that did not answer: what they have is not in it. */
  readonly nodesMissing: number;
}

export interface PersonEntry {
  readonly app: string;
  readonly id: string;
  /** The `name` in the user's info, which the back end or a token gave. */
  readonly name?: string;
  readonly connections: number;
  /** On the node where they are most. */
  readonly channels: number;
  /** When the oldest of the connections was opened. */
  readonly onlineSinceMs: number;
  /** Refusals among the events that nodes still hold. */
  readonly refused: number;
  /** The latest of these events. */
  readonly last?: Pick<FeedEntry, "type" | "atMs" | "channel" | "event">;
}

/** GET api/apps/:app/users/:id: also of a user who is not connected, of whom events and bans may be known. */
export interface PersonDetail {
  readonly app: string;
  readonly id: string;
  readonly name?: string;
  readonly info?: Payload;
  readonly identity?: Identity;
  /** At most 100 of each node, the oldest first. */
  readonly connections: readonly PersonConnection[];
  readonly connectionCount: number;
  /** At most 500 of each node. */
  readonly channels: readonly string[];
  /** Connections that ended, as far as nodes remember. */
  readonly ended: readonly EndedConnection[];
  /** Newest first, at most 100. */
  readonly events: readonly FeedEntry[];
  /** Refusals among the events that nodes still hold. */
  readonly refused: number;
  /** Those that hold, the latest first; of the last hundred that were made or ended. */
  readonly bans: readonly Ban[];
  /** The earliest that nodes know of the user. Absent where they know nothing. */
  readonly firstSeenMs?: number;
  readonly nodesMissing: number;
}

export interface PersonConnection extends ConnectionEntry {
  readonly openedAtMs: number;
  readonly rttMs?: number;
}

export interface EndedConnection {
  readonly id: string;
  readonly openedAtMs: number;
  readonly endedAtMs: number;
  readonly why: string;
}

export interface Ban {
  readonly channel: string;
  readonly untilMs: number;
  /** Who banned, for those who may read the audit log, and when. */
  readonly by?: string;
  readonly atMs: number;
}
