/** One client: who it is, what it speaks, where it is. It is `ws.data` itself; there is no map from sockets to state. */

import type { App } from "./app.ts";
import { userChannel } from "./channel.ts";
import type { CommandError, Disconnect } from "./error.ts";
import type { Member, User } from "./message.ts";
import type { FrameQueue, Protocol, Socket } from "./transport.ts";

/** By what a client is connected: a WebSocket, or HTTP requests of one kind. */
export type Transport = "websocket" | "xhr_streaming" | "xhr_polling" | "stream" | "poll" | "events";

/** What may still be used of a rate: see hub/token-bucket.ts. */
export interface TokenBucket {
  tokens: number;
  atMs: number;
}

/** What the app's back end is sent of a connection with each hook, and what it has said of it. Absent where the app has no hooks. */
export interface BackendContext {
  /** The headers of the handshake that the app forwards. */
  readonly forwarded: Readonly<Record<string, string>>;
  /** The JSON text of a question that waits for the client's first frame. */
  pendingQuestion?: string | undefined;
  /** JSON text that the back end gave, to have it back with later hooks. Clients never see it. */
  meta?: string | undefined;
  /** For `welcome`: by which the client comes back without the back end being asked. */
  reconnectToken?: string | undefined;
  /** When what the back end said ends, where it named no user. */
  endsAtMs?: number | undefined;
  /** When the back end is asked again whether the connection may go on, by the monotonic clock, and until when without an answer. */
  refresh?: { atMs: number; untilMs: number } | undefined;
}

/** What was said of one channel that a connection is in. */
export interface ChannelGrant {
  /** By the monotonic clock; infinity where it does not end. */
  readonly expiresAtMs: number;
  /** Whether it may publish there; undefined where the channel's rule says so. */
  readonly publish: boolean | undefined;
}

/** As whom the connection is in a channel, where the channel has members. */
export type Membership = Member | undefined;

/** A connection on its way into a channel. */
export interface Entering {
  readonly member: Membership;
  /** Why it may not come in after all. */
  refusal?: CommandError;
}

const NO_KEYS: readonly string[] = [];

export class Connection {
  readonly id: string;
  readonly protocol: Protocol;
  /** The peer's address as the server trusts it. */
  readonly address: string;
  app: App;
  /** When its token ends, by the monotonic clock; infinity where it does not. */
  expiresAtMs = Number.POSITIVE_INFINITY;
  /** Over TLS, as far as the server can believe it. */
  isEncrypted = false;
  socket: Socket | undefined;
  /** For people to look at: the User-Agent of the handshake, and the library that a Pusher client names. */
  agent: string | undefined;
  library: string | undefined;
  /**
   * The channels it is in. Most are in one, which has fields of its own: as an object for each connection these took 350 bytes,
   * since it lay among what a handshake leaves behind, and as a map still more. The map comes with the second channel.
   */
  #channel: string | undefined;
  #member: Membership;
  #otherChannels: Map<string, Membership> | undefined;
  /** Those it is on its way into. Absent while there are none. */
  entering: Map<string, Entering> | undefined;
  closed = false;

  openedAtMs: number;
  /** The last frame or pong that came in. What goes out proves nothing about the other side. */
  lastSeenMs: number;
  /** When it was sent a ping that is not answered; 0 when there is none. */
  pingedAtMs = 0;

  /** Before that no sweep has to look at it, unless its token ends: see hub/liveness.ts. */
  checkAtMs = 0;

  /** How far it is behind in reading: see hub/liveness.ts. */
  wasSent = false;
  probe: string | undefined;
  probedAtMs: number;

  /** Frames that wait because an earlier one is not yet answered, or because it is the others' turn. Absent while none do. */
  frameQueue: FrameQueue | undefined;
  turnsUnderWay = 0;
  /** How much it may still ask for at once, and of when that is: see hub/turn-queue.ts. Full until it asks. */
  shareLeft = Number.POSITIVE_INFINITY;
  shareAtMs: number;

  // ---- What most connections never have: declared only, so that it takes no room in those (432 bytes each were 224 then).

  declare transport: Transport;
  declare user: User | undefined;
  /** When what says that it is the user's was made, at the earliest: Unix milliseconds. */
  declare authenticatedAtMs: number;
  /** It signed in, or was let into a private channel. */
  declare isAuthenticated: boolean;
  /** It has asked to say by its first frame who it is; until it has, it is sent nothing, and not welcome yet. */
  declare awaitsAuthentication: boolean;
  /** It was sent word that its token ends. */
  declare expiryAnnounced: boolean;
  /** By which keys the app's back end said who it is, and which channels it may be in: see hub/signature.ts. */
  declare signedInBy: string | undefined;
  declare permittedBy: readonly string[];
  /** Private channels that it is in because its token names them. */
  declare grantedByToken: Set<string> | undefined;
  /** What the program or the app's back end said of single channels that it is in: see hub/grants.ts. */
  declare grants: Map<string, ChannelGrant> | undefined;
  /** Of an app with hooks. */
  declare backend: BackendContext | undefined;
  /** Users of whose presence it is notified, from its watchlist. */
  declare watchedUsers: readonly string[] | undefined;
  /** How long the last ping took that was timed. */
  declare rttMs: number | undefined;
  /** False for clients of a protocol too old to know pings; only long silence ends them. */
  declare answersPings: boolean;
  /** Nothing can come in from it: it is judged only by what it reads. */
  declare isOneWay: boolean;
  /** A back end put it into a channel, and it alone: once it has gone, nothing puts it there again. */
  declare wasPlaced: boolean;
  /** The cluster counts it among the connections that its app may have. */
  declare isCounted: boolean;
  /** Why the server ended it, where the server did. */
  declare disconnectReason: Disconnect | undefined;
  /** Publications that were refused for the moment, by channel and key: see hub/commands/publish.ts. */
  declare refusedPublishes: Map<string, CommandError> | undefined;
  declare eventBucket: TokenBucket | undefined;
  declare subscribeBucket: TokenBucket | undefined;
  declare memberUpdateBucket: TokenBucket | undefined;
  declare frameBucket: TokenBucket | undefined;

  static {
    const usual = Connection.prototype;
    // So that a program that asks whether it has one finds the field.
    usual.user = undefined;
    usual.transport = "websocket";
    usual.authenticatedAtMs = Number.NEGATIVE_INFINITY;
    usual.isAuthenticated = false;
    usual.awaitsAuthentication = false;
    usual.expiryAnnounced = false;
    usual.permittedBy = NO_KEYS;
    usual.answersPings = true;
    usual.isOneWay = false;
    usual.wasPlaced = false;
    usual.isCounted = false;
  }

  constructor(id: string, app: App, protocol: Protocol, address: string, nowMs: number) {
    this.id = id;
    this.app = app;
    this.protocol = protocol;
    this.address = address;
    this.openedAtMs = nowMs;
    this.lastSeenMs = nowMs;
    this.probedAtMs = nowMs;
    this.shareAtMs = nowMs;
  }

  /** The user's own channel comes with signing in, so it takes no room from those that are asked for. */
  get channelCount(): number {
    const { user } = this;
    return this.membershipCount - (user && this.isIn(userChannel(user.id)) ? 1 : 0);
  }

  get membershipCount(): number {
    return (this.#channel === undefined ? 0 : 1) + (this.#otherChannels?.size ?? 0);
  }

  isIn(channel: string): boolean {
    return this.nameOf(channel) !== undefined;
  }

  /**
   * The channel's name where it is in the channel, as it has it itself if it can: the first map that is asked for a name that was cut
   * out of a frame takes 0.1 µs, for one that it knows a fifth of that.
   */
  nameOf(channel: string): string | undefined {
    if (this.#channel === channel) return this.#channel;
    return this.#otherChannels?.has(channel) ? channel : undefined;
  }

  memberIn(channel: string): Membership {
    return this.#channel === channel ? this.#member : this.#otherChannels?.get(channel);
  }

  /** It is in the channel from now on, or in it as another. */
  setMembership(channel: string, member: Membership): void {
    if (this.#channel !== channel && (this.#channel !== undefined || this.#otherChannels?.has(channel))) {
      this.#otherChannels ??= new Map();
      this.#otherChannels.set(channel, member);
      return;
    }
    this.#channel = channel;
    this.#member = member;
  }

  removeMembership(channel: string): void {
    if (this.#channel === channel) {
      this.#channel = undefined;
      this.#member = undefined;
      return;
    }
    this.#otherChannels?.delete(channel);
  }

  /** The names of all channels it is in, as they are now: without a generator, for what is mostly one. */
  channelNames(): string[] {
    const first = this.#channel === undefined ? [] : [this.#channel];
    return this.#otherChannels ? [...first, ...this.#otherChannels.keys()] : first;
  }

  /** The names of all channels it is in. */
  *channels(): Generator<string> {
    if (this.#channel !== undefined) yield this.#channel;
    if (this.#otherChannels) yield* this.#otherChannels.keys();
  }

  /** As whom it is in one of them, the first of those that have members. */
  get anyMember(): Membership {
    return this.#member ?? this.#otherChannels?.values().find((member) => member !== undefined);
  }

  /** Whether it is a member in one of them. */
  get isMember(): boolean {
    return this.#member !== undefined || (this.#otherChannels?.values().some((one) => one !== undefined) ?? false);
  }

  /** Whether it is signed in as the user, or is the user in a presence channel, or on its way into one. */
  isUsers(id: string): boolean {
    if (this.user?.id === id || this.#member?.id === id) return true;
    if (this.#otherChannels?.values().some((member) => member?.id === id)) return true;
    return this.entering?.values().some(({ member }) => member?.id === id) ?? false;
  }
}
