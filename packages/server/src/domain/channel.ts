/** A channel is a name, the traits its prefix (or a rule) gives it, and the policy that applies to it. */

import type { App, ChannelPolicy, ChannelRule, HistoryRetention } from "./app.ts";

export interface Traits {
  /** Needs permission to subscribe. True for presence channels too, and where a rule says so. */
  readonly private: boolean;
  /** Knows its members and notifies them of each other. */
  readonly presence: boolean;
  /** Its payloads are sealed before they reach the server. */
  readonly encrypted: boolean;
  /** Keeps its last event for the next subscriber. */
  readonly cache: boolean;
}

export interface Channel {
  readonly name: string;
  readonly traits: Traits;
  readonly policy: ChannelPolicy;
  /** A rule says who may publish, whatever the app's `clientEvents` are. */
  readonly hasOwnClientPublish?: true;
}

export type ChannelKind = "public" | "private" | "presence";

/** Messages for one user travel in this channel; only a connection signed in as that user may subscribe. */
const USER_PREFIX = "#server-to-user-";
/** Carries who is online, and orders to every node that holds a connection of the user. Never subscribed by name. */
const PRESENCE_OF_PREFIX = "#online-";

/** What is made of this one channel goes over the app's rule for it. */
export function channelOf(app: App, name: string, made?: ChannelRule): Channel {
  const rule = { ...ruleOf(app, name), ...made };
  const named = traitsOf(name);
  const traits = rule.private ? { ...named, private: true } : named;
  const policy = policyOf(app, rule, traits);
  const history = rule.history ?? windowOf(app, rule, traits);
  // Nobody subscribes with a position to a channel of the server's own, or of one user.
  const kept = history && !isInternal(name) ? { ...policy, history } : policy;
  return { name, traits, policy: kept, ...(rule.clientPublish && { hasOwnClientPublish: true as const }) };
}

/** The app's first that is for the channel. */
export function ruleOf(app: App, name: string): ChannelRule | undefined {
  // A closure for `find` would be garbage of each event of an app whose rules speak of history.
  for (const rule of app.channels) if (matches(rule.match, name)) return rule;
  return undefined;
}

/** What every channel of the app keeps. A cache channel's last event stays longer than that, so it is left as it is. */
function windowOf({ recovery }: App, rule: Partial<ChannelRule>, { cache }: Traits): HistoryRetention | undefined {
  if (!recovery.enabled || cache || rule.recovery === false) return undefined;
  return { size: recovery.size, ttlS: recovery.ttlS, totalBytes: recovery.bytes };
}

/** Reads the traits off the front of the name: `private-encrypted-cache-x`. Anchored: `x-private-y` is public. */
export function traitsOf(name: string): Traits {
  const presence = name.startsWith("presence-");
  const isPrivate = presence || name.startsWith("private-");
  let rest = presence ? name.slice("presence-".length) : isPrivate ? name.slice("private-".length) : name;
  const encrypted = isPrivate && !presence && rest.startsWith("encrypted-");
  if (encrypted) rest = rest.slice("encrypted-".length);
  return { private: isPrivate, presence, encrypted, cache: rest.startsWith("cache-") };
}

export function kindOf(traits: Traits): ChannelKind {
  if (traits.presence) return "presence";
  return traits.private ? "private" : "public";
}

export function userChannel(userId: string): string {
  return USER_PREFIX + userId;
}

/** The user whose own channel this is, or undefined when it is an ordinary channel. */
export function userOfChannel(name: string): string | undefined {
  return name.startsWith(USER_PREFIX) ? name.slice(USER_PREFIX.length) : undefined;
}

export function onlineChannel(userId: string): string {
  return PRESENCE_OF_PREFIX + userId;
}

export function userOfOnlineChannel(name: string): string | undefined {
  return name.startsWith(PRESENCE_OF_PREFIX) ? name.slice(PRESENCE_OF_PREFIX.length) : undefined;
}

/** Channels of the server's own use: never listed, never counted, never in webhooks. */
export function isInternal(name: string): boolean {
  return name.startsWith("#");
}

function policyOf(app: App, rule: Partial<ChannelPolicy>, traits: Traits): ChannelPolicy {
  return {
    clientPublish: rule.clientPublish ?? defaultClientPublish(app, traits),
    cacheTtlS: rule.cacheTtlS ?? DEFAULT_CACHE_TTL_S,
    maxSubscribers: rule.maxSubscribers ?? Number.POSITIVE_INFINITY,
    auth: rule.auth ?? false,
    ...(rule.rewind && { rewind: rule.rewind }),
    ...(rule.clientHistory !== undefined && { clientHistory: rule.clientHistory }),
  };
}

/** Pusher protocol, client events: private and presence channels only, and only where the app allows them. */
function defaultClientPublish(app: App, traits: Traits): ChannelPolicy["clientPublish"] {
  return app.clientEvents && traits.private && !traits.encrypted ? "client-events" : "none";
}

const DEFAULT_CACHE_TTL_S = 30 * 60;

/** `*` stands for any run of characters, `?` for one; everything else for itself. At worst length times length: nothing to attack. */
export function matches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let resume = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = n;
    } else if (pattern[p] === "?" || pattern[p] === name[n]) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
