/** Signs what a client needs to subscribe to channels, and to sign in. */

import { invalid, PublisherError } from "./errors.ts";
import { checkChannel, checkConnectionId, checkNotEncrypted } from "./names.ts";
import type { Signer } from "./signer.ts";
import { unixSecondsIn } from "./token.ts";

/** Who a client is in presence channels. */
export interface Member {
  /** 1 to 128 characters. Connections with the same id are one member. */
  readonly id: string;
  /** What other members see of it: JSON, at most 1024 bytes unless the app allows more. */
  readonly info?: unknown;
}

/** The permission for one channel, as clients send it to the server. */
export interface Authorization {
  readonly auth: string;
  readonly channel_data?: string;
}

/** Why a channel was not permitted. */
export interface Denied {
  readonly error: { readonly code: string; readonly message: string };
}

/** The answer to a client that asked for several channels, as JSON. */
export interface AuthorizeAnswer {
  readonly channels: Readonly<Record<string, Authorization | Denied>>;
}

export interface AuthorizeOptions {
  /**
   * Decides for each channel: true permits it, false denies it (code `forbidden`), and so does a `Denied` of your own. It is required,
   * since the names come from the client.
   */
  readonly allow: (channel: string) => boolean | Denied | Promise<boolean | Denied>;
  /** Who the client is in the presence channels among them. Without it, only a client that has signed in can join those. */
  readonly member?: Member;
  /** The subscriptions end after so many seconds, above 0. Default: they do not end. */
  readonly expiresInS?: number;
}

/** A user who signs in with the Pusher protocol. */
export interface SignInUser {
  /** 1 to 128 characters. */
  readonly id: string;
  readonly info?: unknown;
  /** Ids of users of whom the client is notified when they come online and go offline. */
  readonly watchlist?: readonly string[];
}

const MOST_CHANNELS = 100;

export class Authorizer {
  readonly #key: string;
  readonly #signer: Signer;

  constructor(key: string, signer: Signer) {
    this.#key = key;
    this.#signer = signer;
  }

  async many(connectionId: string, channels: readonly string[], options: AuthorizeOptions): Promise<AuthorizeAnswer> {
    checkConnectionId(connectionId);
    if (!Array.isArray(channels) || channels.length > MOST_CHANNELS)
      throw invalid(`The channels are a list of at most ${MOST_CHANNELS} names.`);
    const names = [...new Set(channels)];
    const answers = await Promise.all(names.map((channel) => this.#decide(connectionId, channel, options)));
    // Without a prototype, since a channel may be called __proto__.
    const byName: Record<string, Authorization | Denied> = Object.create(null);
    for (const [at, answer] of answers.entries()) byName[String(names[at])] = answer;
    return { channels: byName };
  }

  async one(
    connectionId: string,
    channel: string,
    member: Member | undefined,
    expiresInS: number | undefined,
  ): Promise<Authorization> {
    checkConnectionId(connectionId);
    checkChannel(channel);
    checkNotEncrypted(channel);
    const data = channelData(channel.startsWith("presence-") ? member : undefined, expiresInS);
    const signature = await this.#signer.signHex(`${connectionId}:${channel}${data && `:${data}`}`);
    const auth = `${this.#key}:${signature}`;
    return data ? { auth, channel_data: data } : { auth };
  }

  async user(connectionId: string, { id, info, watchlist }: SignInUser): Promise<{ auth: string; user_data: string }> {
    checkConnectionId(connectionId);
    const userData = JSON.stringify({ id, user_info: info, watchlist });
    const signature = await this.#signer.signHex(`${connectionId}::user::${userData}`);
    return { auth: `${this.#key}:${signature}`, user_data: userData };
  }

  async #decide(
    connectionId: string,
    channel: string,
    { allow, member, expiresInS }: AuthorizeOptions,
  ): Promise<Authorization | Denied> {
    try {
      checkChannel(channel);
      checkNotEncrypted(channel);
    } catch (error) {
      if (error instanceof PublisherError) return denied(error.code, error.message);
      throw error;
    }
    const decision = await allow(channel);
    if (decision === true) return this.one(connectionId, channel, member, expiresInS);
    return decision === false ? denied("forbidden", "You may not subscribe to this channel.") : decision;
  }
}

/** Empty where there is nothing to say. */
function channelData(member: Member | undefined, expiresInS: number | undefined): string {
  if (!member && expiresInS === undefined) return "";
  const expires_at = expiresInS === undefined ? undefined : unixSecondsIn(expiresInS);
  return JSON.stringify({ user_id: member?.id, user_info: member?.info, expires_at });
}

function denied(code: string, message: string): Denied {
  return { error: { code, message } };
}
