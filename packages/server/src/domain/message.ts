/**
 * What crosses the hub: commands on their way in, publications on their way to a channel, pushes on their way out.
 * None of it has the shape of any protocol; codecs translate at the edge.
 */

import type { CommandError } from "./error.ts";
import type { MessageId } from "./message-id.ts";
import type { UserInfo } from "./user-info.ts";

/** A user as the app's back end, a token or an authenticator identified it. */
export interface User extends UserInfo {
  readonly id: string;
  /** Users of whose presence this one is notified. */
  readonly watchlist?: readonly string[];
  /** Patterns of the private and presence channels the user may join without a signature. */
  readonly channels?: readonly string[];
  /** Patterns of the presence channels the user may watch without being a member. */
  readonly watch?: readonly string[];
  /** Channels that its connections are put into when they sign in, whatever they ask for. */
  readonly subscribe?: readonly string[];
  /**
   * When the token that says so was issued, in Unix milliseconds, less what the issuer's clock may be ahead; 0 where it
   * does not say. Absent where the back end or the program was asked just now.
   */
  readonly issuedAtMs?: number;
  /** When it ends, in Unix milliseconds. Absent where it does not. */
  readonly expiresAtMs?: number;
  /** Which of the app's keys the token was signed with: see hub/signature.ts. Absent where there is none to name. */
  readonly keyId?: string;
}

/** One user in a presence channel, however many connections it has there. */
export interface Member extends UserInfo {
  readonly id: string;
  /** From a token, a signature or the app's back end: who the user is. */
  readonly info: unknown;
  /** From the user's clients, which may say anything: JSON text in one line, as they wrote it. */
  readonly state?: string;
}

/** What changes of a member; what is absent stays as it is. */
export interface MemberUpdate extends UserInfo {
  readonly id: string;
  /** JSON text in one line; null where the member has none any more. */
  readonly state?: string | null;
}

/** A member as the registry lists it. */
export interface PresenceMember extends Member {
  /** When the user's first connection joined, Unix milliseconds. */
  readonly joinedAtMs: number;
}

/** Where a publication stands in its channel's history. Offsets grow by one within an epoch. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** What is forgotten of a channel's history before its time: all, what came before a position or a time, or one event. */
export type PurgeRange =
  | { readonly type: "all" }
  | { readonly type: "before"; readonly position: Position }
  | { readonly type: "older"; readonly toMs: number }
  | { readonly type: "event"; readonly position: Position };

/** What a subscriber wants of the past: all after a position, or all that is kept. */
export type Resume = Position | "kept";

/** How much of the past where there is no position to go on from: so many events, or what was published so long ago or less. */
export type Rewind = { readonly count: number } | { readonly ms: number };

/** What a subscriber says of the past. */
export interface ResumeOptions {
  readonly resume?: Resume;
  /** Where it cannot resume, or does not ask to. */
  readonly rewind?: Rewind;
  /** Ids of the client's earlier connections: what they published, or were excluded from, is not recovered. */
  readonly previousIds?: readonly string[];
}

/** A permission issued by the app's back end: `KEY:hex`, with the data it signs, verbatim. */
export interface ChannelProof {
  readonly auth: string;
  readonly data?: string;
}

/** The client's own mark on a command, repeated in the answer. */
export type Ref = string | number;

/** What a client asks. */
export type Command =
  | ({
      readonly type: "subscribe";
      readonly channel: string;
      readonly proof?: ChannelProof;
      /** Of a presence channel: to see the members without being one. */
      readonly watch?: true;
      readonly ref?: Ref;
    } & ResumeOptions)
  | { readonly type: "unsubscribe"; readonly channel: string; readonly ref?: Ref }
  | {
      readonly type: "publish";
      readonly channel: string;
      readonly event: string;
      readonly data: string;
      /** A second one with the same key is answered like the first, and published once. */
      readonly key?: string;
      /** The key of one that it must not come before: where that one was refused for the moment, so is this. */
      readonly afterKey?: string;
      readonly ref?: Ref;
    }
  /** What the client says of itself as a member of the channel: JSON text in one line, or null for nothing any more. */
  | { readonly type: "presence"; readonly channel: string; readonly state: string | null; readonly ref?: Ref }
  /** A page of what is kept; of what fits the bounds the oldest where there is `after`, else the latest, or as `direction` says. */
  | {
      readonly type: "history";
      readonly channel: string;
      readonly after?: Position;
      readonly before?: Position;
      readonly fromMs?: number;
      readonly toMs?: number;
      readonly direction?: "oldest" | "newest";
      readonly limit?: number;
      readonly previousIds?: readonly string[];
      readonly ref?: Ref;
    }
  | { readonly type: "signin"; readonly by: Credentials; readonly ref?: Ref }
  | { readonly type: "call"; readonly event: string; readonly data: unknown; readonly ref?: Ref }
  | { readonly type: "ping"; readonly ref?: Ref }
  | { readonly type: "pong" };

/** The ways to say who one is. A guard that understands a token replaces it by the user it stands for. */
export type Credentials =
  | { readonly type: "signature"; readonly auth: string; readonly userData: string }
  | { readonly type: "token"; readonly token: string }
  /** Whatever the program's authenticator understands. */
  | { readonly type: "credentials"; readonly credentials: Readonly<Record<string, unknown>> }
  | { readonly type: "user"; readonly user: User };

/** One event on its way to a channel. */
export type Publication =
  | EventPublication
  | JoinedPublication
  | LeftPublication
  | UpdatedPublication
  | CountPublication
  | UserPublication
  | ReplacedPublication;

interface ChannelPublication {
  /** The app's id. */
  readonly app: string;
  readonly channel: string;
  /** Ids of connections that must not receive it. */
  readonly except?: readonly string[];
}

export interface EventPublication extends ChannelPublication {
  readonly type: "event";
  readonly event: string;
  /**
   * The payload as text: JSON where it parses as JSON, else a plain string. So a value has one spelling in every
   * protocol, and nothing is parsed on the way through.
   */
  readonly data: string;
  /** `data` is a whole object that a program pushed; clients that can take it as it is get it as it is. */
  readonly bare?: true;
  /** No history keeps it, whatever its channel's does. */
  readonly ephemeral?: true;
  /** The client that published it; absent when a back end or the program did. */
  readonly from?: Sender;
  /** Set by the broker for channels with history. */
  readonly position?: Position;
  /** By which it is known where its first position was lost and its publisher, who got no answer, has sent it again. */
  readonly messageId?: MessageId;
  /** This node received it before, under a position that was lost with the broker's data: the new one counts, and no client receives it again. */
  readonly repeated?: true;
  /** The step of a trace (W3C `traceparent`) that published it, where that is recorded. Not for clients. */
  readonly trace?: string;
  /** The step that hands it to clients, where they are told of it so that a trace can end in them. Set by each node for its own. */
  readonly traceparent?: string;
  /** When a node published it, by that node's own clock, where it measures how long this one takes. Not for clients. */
  readonly timed?: PublishTime;
  /** Under which it is published once, where it has one. Not for clients. */
  readonly key?: string;
  /** When the broker numbered it, by the engine's clock, in Unix milliseconds. Known of what is read from history. */
  readonly atMs?: number;
  /** It was purged by itself: only its place is left. */
  readonly erased?: true;
}

export interface PublishTime {
  /** The node's number. */
  readonly node: number;
  readonly atMs: number;
}

export interface Sender {
  readonly connection: string;
  /** The member's id in a presence channel, else the signed-in user's. Never what the client claims. */
  readonly user?: string;
}

export interface JoinedPublication extends ChannelPublication {
  readonly type: "joined";
  readonly member: Member;
}

export interface LeftPublication extends ChannelPublication {
  readonly type: "left";
  readonly member: Pick<Member, "id">;
}

/** For every subscriber, the connection that brought it about included: so all of them know which of several updates was the last. */
export interface UpdatedPublication extends ChannelPublication {
  readonly type: "updated";
  readonly member: MemberUpdate;
}

export interface CountPublication extends ChannelPublication {
  readonly type: "count";
  readonly count: number;
}

/** About one user, carried in that user's online channel. */
export interface UserPublication extends ChannelPublication {
  readonly type: "online" | "offline";
  readonly user: string;
}

/** Carried there, too: this connection takes the place of the user's others. */
export interface ReplacedPublication extends ChannelPublication {
  readonly type: "replaced";
  readonly user: string;
  readonly connection: string;
}

/** What the server sends to a client. The publications that clients see are pushes as they are. */
export type Push =
  | EventPublication
  | JoinedPublication
  | LeftPublication
  | UpdatedPublication
  | CountPublication
  | NoticePush
  | WelcomePush
  | SubscribedPush
  | HistoryPush
  | UnsubscribedPush
  | { readonly type: "published"; readonly channel: string; readonly ref?: Ref; readonly position?: Position }
  /** Its state is what it said, or what a later one of the user's connections said. */
  | { readonly type: "presence"; readonly channel: string; readonly ref?: Ref }
  | { readonly type: "missed"; readonly channel: string }
  /** Something of the channel may be lost between what was sent before and what comes after. */
  | { readonly type: "gap"; readonly channel: string }
  | { readonly type: "signed-in"; readonly user: User; readonly userData: string; readonly ref?: Ref }
  | { readonly type: "watch"; readonly online: readonly string[]; readonly offline: readonly string[] }
  | { readonly type: "result"; readonly data: unknown; readonly ref: Ref }
  | { readonly type: "refused"; readonly error: CommandError; readonly command?: Command }
  /** The token that says who the client is ends in so many milliseconds, and the connection soon after, unless it is renewed. */
  | { readonly type: "expiring"; readonly afterMs: number }
  | { readonly type: "ping" }
  | { readonly type: "pong"; readonly ref?: Ref };

/** An event in no channel: for one connection, or for every connection of an app. */
export interface NoticePush extends Pick<EventPublication, "event" | "data" | "bare"> {
  readonly type: "notice";
}

export interface WelcomePush {
  readonly type: "welcome";
  readonly connection: string;
  readonly user?: User | undefined;
  /** By which the client comes back, for a while, without its app's back end being asked. */
  readonly reconnectToken?: string | undefined;
  /** Silence after which the client should ask whether the server is there, in seconds. */
  readonly activityTimeoutS: number;
  readonly frameBytes: number;
  readonly limits: ClientLimits;
  /** Unix milliseconds, when it was sent. */
  readonly serverTimeMs: number;
  /** Where the connection outlives its requests. */
  readonly session?: SessionInfo | undefined;
}

/** How a client comes back to a connection that outlives its requests. */
export interface SessionInfo {
  /** A secret of the client's. */
  readonly id: string;
  /** Silence on a response after which the server writes a sign of life, in seconds. */
  readonly keepAliveS: number;
  /** How long the connection lives while no request reads from it, in seconds. */
  readonly sessionTimeoutS: number;
  /** Where further requests reach the node that has the connection, where that is known. */
  readonly url?: string;
}

/** What one client may ask for. What is absent is unlimited. */
export interface ClientLimits {
  readonly eventsPerSecond?: number;
  readonly subscribesPerSecond?: number;
  /** Changes of its state, in all its presence channels together. */
  readonly memberUpdatesPerSecond?: number;
  /** Of a published event's data, as JSON. */
  readonly eventBytes?: number;
  /** It may be in at a time. */
  readonly channels?: number;
}

export interface SubscribedPush {
  readonly type: "subscribed";
  readonly channel: string;
  /** Present in presence channels: all who are there, the subscriber included unless it only watches. */
  readonly members?: readonly Member[] | undefined;
  /** Where the channel stands, in channels with history: before the recovered events. */
  readonly position?: Position | undefined;
  /** Whether what follows is all that was missed. Only where the client asked to resume. */
  readonly recovered?: boolean | undefined;
  /** How many earlier events follow because of `rewind`; only where it was that. */
  readonly rewound?: number | undefined;
  /** Whether these are all that it asked for. */
  readonly complete?: boolean | undefined;
  readonly ref?: Ref | undefined;
  /** The client did not ask for it: the app's back end put it there. */
  readonly by?: "server" | undefined;
}

/** The answer to a command, or what the server did by itself. */
export interface UnsubscribedPush {
  readonly type: "unsubscribed";
  readonly channel: string;
  readonly ref?: Ref;
  /** Why the server did it. The code is for programs, the message for people. */
  readonly by?: { readonly code: string; readonly message: string };
}

export interface HistoryPush {
  readonly type: "history";
  readonly channel: string;
  /** Oldest first. */
  readonly events: readonly EventPublication[];
  /** Offsets of those that the client is not sent live: one of its connections published them, or was excluded. */
  readonly own: readonly number[];
  /** Whether everything that belongs in the page is still kept. */
  readonly complete: boolean;
  /** For the next page in the same direction; absent at the end. */
  readonly next?: Position;
  /** Where the channel stands. */
  readonly position: Position;
  readonly ref?: Ref;
}

/** How the server closes a connection. */
export interface CloseFrame {
  readonly frame?: string;
  readonly code: number;
  readonly reason: string;
}
