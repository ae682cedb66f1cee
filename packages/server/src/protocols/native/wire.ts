/** The native protocol's frames as types. docs/protocol/native.md is the normative text; this says the same to a compiler. */

import type { Reconnect } from "../../domain/error.ts";

/** The client's mark on a command, repeated in the answer. A string of up to 64 characters or a number. */
export type Id = string | number;

export interface WireMember {
  readonly id: string;
  /** From a token, a signature or the app's back end. */
  readonly info?: unknown;
  /** From the user's clients; null in `member_updated` where there is none any more. */
  readonly state?: unknown;
}

/** Where a client stands in a channel with history. */
export interface WirePosition {
  readonly epoch: string;
  readonly offset: number;
}

/** What a subscriber wants of the past: all after the position, or all that is kept, without what is its own. */
export interface WireResume {
  readonly position?: WirePosition;
  readonly recover?: boolean;
  /** So many events, or what was published so long ago or less: where it has no position, or cannot go on from it. */
  readonly rewind?: { readonly count: number } | { readonly seconds: number };
  /** The ids of the client's earlier connections. */
  readonly previousIds?: readonly string[];
}

export interface WireWelcome {
  readonly id: string;
  readonly activityTimeoutS: number;
  readonly maxFrameBytes: number;
  /** What is absent is unlimited. */
  readonly limits: {
    readonly eventsPerSecond?: number;
    readonly subscribesPerSecond?: number;
    readonly memberUpdatesPerSecond?: number;
    readonly eventBytes?: number;
    readonly channels?: number;
  };
  readonly serverTimeMs: number;
  readonly features: readonly string[];
  readonly user?: WireMember;
  /** Over HTTP: by what further requests name the connection. A secret. */
  readonly session?: string;
  /** Over HTTP. */
  readonly http?: {
    /** Silence on a response after which the server writes a sign of life, in seconds. */
    readonly keepAliveS: number;
    /** How long the connection lives while no request reads from it, in seconds. */
    readonly sessionTimeoutS: number;
    /** Where further requests reach the node that has the connection at once. */
    readonly url?: string;
  };
  /** Taken as a token by a server of this app for a while, so that its back end is not asked again. Opaque. */
  readonly reconnectToken?: string;
}

export type ClientFrame =
  | {
      event: "subscribe";
      id?: Id;
      data: { channel: string; auth?: string; channel_data?: string; presence?: "watch" } & WireResume;
    }
  | { event: "unsubscribe"; id?: Id; data: { channel: string } }
  | {
      event: "publish";
      id?: Id;
      data: { channel: string; event?: string; data?: unknown; idempotencyKey?: string; afterKey?: string };
    }
  | { event: "presence"; id?: Id; data: { channel: string; state: unknown } }
  | {
      event: "history";
      id?: Id;
      data: {
        channel: string;
        after?: WirePosition;
        before?: WirePosition;
        /** Unix milliseconds, by the clock of the engine; `fromMs` is in it, `toMs` is not. */
        fromMs?: number;
        toMs?: number;
        direction?: "oldest" | "newest";
        limit?: number;
        previousIds?: readonly string[];
      };
    }
  | { event: "authenticate"; id?: Id; data: { token: string } | Readonly<Record<string, unknown>> }
  | { event: "ping"; id?: Id }
  | { event: string; id?: Id; data?: unknown };

export type ServerFrame =
  | { event: "welcome"; data: WireWelcome }
  | {
      event: "subscribed";
      channel: string;
      id?: Id;
      by?: "server";
      data?: { members: WireMember[] };
      position?: WirePosition;
      recovered?: boolean;
      /** How many earlier events follow because of `rewind`, and whether that is all it asked for. */
      rewound?: number;
      complete?: boolean;
    }
  | { event: "unsubscribed"; channel: string; id?: Id }
  | { event: "unsubscribed"; channel: string; by: "server"; code: string; message: string }
  | { event: "published"; channel: string; id: Id; position?: WirePosition }
  | { event: "presence"; channel: string; id: Id }
  | {
      event: "history";
      channel: string;
      id?: Id;
      /** The events are frames as the channel's subscribers are sent them; `times` says of each when it was published. */
      data: { events: object[]; times: number[]; own: number[]; complete: boolean; next?: WirePosition };
      position: WirePosition;
    }
  | { event: "authenticated"; id?: Id; data: { user: WireMember } }
  | { event: "member_added" | "member_updated" | "member_removed"; channel: string; data: { user: WireMember } }
  | { event: "subscription_count"; channel: string; data: { count: number } }
  | { event: "cache_miss"; channel: string }
  | { event: "gap"; channel?: string }
  | { event: "watchlist"; data: { online: string[]; offline: string[] } }
  | { event: "result"; id: Id; data: unknown }
  | { event: "error"; message: string; code: string; id?: Id; channel?: string; retryAfterMs?: number }
  | { event: "expiring"; data: { afterMs: number } }
  | { event: "pong"; id?: Id }
  /** Over HTTP only, where a WebSocket has pings of its own; answered by `pong`. */
  | { event: "ping" }
  | { event: "closing"; code: string; message: string; reconnect: Reconnect; afterMs?: number };

/** What this server can do beyond the first text of version 1, by the names in docs/protocol/native.md. */
export const FEATURES: readonly string[] = [
  "history",
  "previous-ids",
  "auth-frame",
  "token-expiry",
  "rewind",
  "presence-state",
  "publish-order",
];

/** Names that mean something in this protocol: a client may not publish them, and the server's own carry no `pushed`. */
export const RESERVED: ReadonlySet<string> = new Set([
  "welcome",
  "subscribe",
  "subscribed",
  "unsubscribe",
  "unsubscribed",
  "publish",
  "published",
  "presence",
  "history",
  "authenticate",
  "authenticated",
  "member_added",
  "member_updated",
  "member_removed",
  "subscription_count",
  "cache_miss",
  "gap",
  "watchlist",
  "result",
  "expiring",
  "error",
  "ping",
  "pong",
  "closing",
]);

/** Whether the name is one of those. Most that clients publish show by their beginning that they are not, which saves each a look by its hash. */
export function isReservedName(event: string): boolean {
  return !event.startsWith("client-") && RESERVED.has(event);
}

/** Longest `id` that a command may carry, in characters. */
export const ID_LENGTH = 64;
