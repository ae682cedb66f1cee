/** An app is a tenant: its own keys, its own channels, its own limits. Nothing of one app is ever seen by another. */

export interface App {
  /** Names the app in the HTTP API: `/apps/{id}/events`. */
  readonly id: string;
  /** Public; clients name it when they connect. */
  readonly key: string;
  /** The first signs, all of them verify, so that a secret can be rotated without a moment of refusals. */
  readonly secrets: readonly [string, ...string[]];
  readonly name: string;
  /** A disabled app refuses connections (4003) and API calls (403). */
  readonly enabled: boolean;
  /** Clients with the app's switch on may publish `client-…` events in private and presence channels. */
  readonly clientEvents: boolean;
  /** Send subscribers of non-presence channels how many they are. */
  readonly subscriptionCounts: boolean;
  /** Native clients may connect without a token. */
  readonly anonymous: boolean;
  /** Refuse connections that did not come over TLS (4000). */
  readonly requireTls: boolean;
  /** Close connections that have neither signed in nor joined a private channel within `limits.unauthenticatedTimeoutS`. */
  readonly requireAuthentication: boolean;
  /** Webpages that may connect, as patterns for the Origin header; empty for all. */
  readonly allowedOrigins: readonly string[];
  /** Clients that send no Origin header may connect: phones and services have none. */
  readonly allowMissingOrigin: boolean;
  /** What it does is counted and kept. */
  readonly statistics: boolean;
  /** A signed API call counts once. */
  readonly replayProtection: boolean;
  /** First matching rule wins; a channel no rule matches has the defaults of its kind. */
  readonly channels: readonly ChannelRule[];
  /** A user may have one connection: a second one takes its place, or is refused. */
  readonly singleConnection?: "replace" | "refuse";
  readonly limits: AppLimits;
  /** What all its channels keep for clients that come back, where no rule says otherwise. */
  readonly recovery: RecoveryWindow;
  /** How tokens are verified; without it, HS256 with any of the app's secrets. */
  readonly token?: TokenRules;
  /** Receivers of what happens in the app's channels. */
  readonly webhooks?: readonly Webhook[];
  /** What the app's back end is asked over HTTP. */
  readonly hooks?: HookSettings;
}

const HASH = 0x23;

/** Apps of the server's own use, such as the dashboard's: never configured, listed, counted or reported. */
export function isReserved({ id }: Pick<App, "id">): boolean {
  return id.charCodeAt(0) === HASH;
}

export const WEBHOOK_EVENTS = [
  "channel_occupied",
  "channel_vacated",
  "member_added",
  "member_removed",
  "client_event",
  "cache_miss",
  "subscription_count",
] as const;

export type WebhookEventName = (typeof WEBHOOK_EVENTS)[number];

/** One receiver of an app's events. */
export interface Webhook {
  readonly url: string;
  /** Those it receives; all, where not given. */
  readonly events?: readonly WebhookEventName[];
  /** The channels whose events it receives: what is given of these has to fit the name. */
  readonly channels?: { readonly prefix?: string; readonly suffix?: string; readonly pattern?: string };
  /** Sent along with each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Several events in one request. */
  readonly batch?: boolean;
}

/** What the back end is asked before something happens. "disconnect" is told afterwards. */
export const HOOK_NAMES = ["connect", "authenticate", "refresh", "subscribe", "publish", "call", "disconnect"] as const;

export type HookName = (typeof HOOK_NAMES)[number];

/** The back end of an app that embeds no server: where it is asked, and what. A hook that is absent is not asked. */
export interface HookSettings extends Partial<Readonly<Record<HookName, HookAddress>>> {
  /** Where the hooks are posted that name no address of their own. */
  readonly url?: string;
  /** Time the back end has for an answer, waiting for its turn included. */
  readonly timeoutS: number;
  /** Headers of a client's handshake that are sent along, in lower case. */
  readonly forward: readonly string[];
  /** Headers that are sent along with each request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The back end may have a private address. False for apps that are not the operator's own. */
  readonly allowPrivate: boolean;
  readonly connect?: Hook;
  readonly refresh?: Hook;
  readonly subscribe?: SubscribeHook;
  readonly publish?: Hook & { readonly channels: readonly string[] };
  readonly call?: HookAddress & { readonly events: readonly string[] };
}

interface HookAddress {
  readonly url?: string;
}

/** A hook without which the server could go on. */
export interface Hook extends HookAddress {
  /** What becomes of what is asked about while the back end cannot answer. */
  readonly whenDown: "refuse" | "allow";
}

export interface SubscribeHook extends Hook {
  readonly channels: readonly string[];
  /** Only where the client has no other permission for a private channel, or in any case. */
  readonly when: "unproven" | "always";
}

/** What a JSON Web Token must satisfy. One of `secret`, `publicKey` and `jwksUrl` says whose signature counts; without any, the app's own. */
export interface TokenRules {
  readonly algorithms: readonly TokenAlgorithm[];
  /** Shared secret, for HS256. */
  readonly secret?: string;
  /** PEM, SubjectPublicKeyInfo; for RS256, ES256 and EdDSA. */
  readonly publicKey?: string;
  /** Where the issuer publishes its keys. Only this address is ever fetched, never one a token names. */
  readonly jwksUrl?: string;
  readonly audience?: string;
  readonly issuer?: string;
  readonly clockToleranceS: number;
  /** What becomes of a connection whose token has expired. "close" where absent. */
  readonly expiry?: "close" | "ignore";
  /** Whether one may come in an address. It may where absent. */
  readonly inUrl?: boolean;
  /** The name of the cookie that one may come in. The app lists the origins that it is believed from. */
  readonly cookie?: string;
}

export type TokenAlgorithm = "HS256" | "RS256" | "ES256" | "EdDSA";

/** What the app says about the channels whose name matches: `chat.*`, `presence-room-?`, or a full name. */
export interface ChannelRule extends Partial<ChannelPolicy> {
  readonly match: string;
  /** Makes the channel private; one that is so by its name stays so. */
  readonly private?: boolean;
  /** False: the app's recovery window is not for these channels. */
  readonly recovery?: boolean;
}

/** What applies to one channel, looked up once when it comes to life and not per message. */
export interface ChannelPolicy {
  /** Who of the subscribed clients may publish, and what: nothing, `client-…` events only, or any event. */
  readonly clientPublish: "none" | "client-events" | "any";
  /** Time a cache channel keeps its last event, in seconds. */
  readonly cacheTtlS: number;
  /** Most connections that may subscribe, in the whole cluster. */
  readonly maxSubscribers: number;
  /** Only connections that are signed in may subscribe. */
  readonly auth: boolean;
  /** Whether subscribers may read what is kept: by time as well where true, and only by resuming where false. */
  readonly clientHistory?: boolean;
  /** The last events that a new subscriber gets where it does not say itself what it wants of the past. */
  readonly rewind?: { readonly count: number };
  /** What is kept of it, whoever published it. Without it, nothing but a cache channel's last event. */
  readonly history?: HistoryRetention;
}

/** How much of a channel's past is kept: so many events, each for so long. */
export interface HistoryRetention {
  readonly size: number;
  readonly ttlS: number;
  /** Most that all channels of the app keep together under this; the oldest goes first. */
  readonly totalBytes?: number;
}

/** A history that every channel of an app has. */
export interface RecoveryWindow {
  readonly enabled: boolean;
  /** Of one channel. */
  readonly size: number;
  readonly ttlS: number;
  /** Of all channels together. */
  readonly bytes: number;
}

/** Every limit that one app has. Bytes are UTF-8 bytes, lengths are characters, rates are per connection. */
export interface AppLimits {
  readonly connections: number;
  readonly channelsPerConnection: number;
  readonly channelNameLength: number;
  readonly eventNameLength: number;
  readonly eventDataBytes: number;
  readonly channelsPerTrigger: number;
  readonly batchSize: number;
  readonly presenceMembers: number;
  readonly memberDataBytes: number;
  readonly memberStateBytes: number;
  readonly userIdLength: number;
  readonly watchlistSize: number;
  readonly clientEventsPerSecond: number;
  readonly memberUpdatesPerSecond: number;
  readonly subscribesPerSecond: number;
  /** Of whatever kind; one that sends more is closed. */
  readonly framesPerSecond: number;
  /** Calls of the HTTP API, all together. */
  readonly apiRequestsPerSecond: number;
  readonly unauthenticatedTimeoutS: number;
  /** How long a user who was terminated does not get in by an older token. */
  readonly revocationTtlS: number;
}
