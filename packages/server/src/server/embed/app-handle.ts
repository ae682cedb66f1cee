/** One app of a running server, as a program sees it: push to it, look at it. */

import type { AnyDeclaration, ChannelName, Declaration } from "@fanfare/schema";
import { type ChannelOptions, parseChannel } from "../../config/channel-options.ts";
import type { App } from "../../domain/app.ts";
import { type ChannelKind, kindOf, userChannel } from "../../domain/channel.ts";
import { Disconnect } from "../../domain/error.ts";
import type { Member, User } from "../../domain/message.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName } from "../../hub/limits.ts";
import {
  ChannelHandle,
  type ChannelHistory,
  type ChannelInfo,
  type HistoryQuery,
  infoOf,
  type PurgeOptions,
  purgeHistory,
  readHistory,
} from "./channel-handle.ts";
import { type ChannelSubscription, type Subscribing, subscribeProgram } from "./channel-subscription.ts";
import { Connections } from "./connections.ts";
import { ConnectionTarget, DISCONNECTED_BY_PROGRAM, noticeOf, Target } from "./targets.ts";
import type { ChannelPush, Presence, UserPush } from "./types.ts";
import { UserHandle } from "./user-handle.ts";

/** A user in a presence channel, as other servers spell it. */
export interface Present extends Member {
  /** When the user's first connection joined, in Unix seconds. */
  readonly connected_at: number;
}

export type PresenceList = readonly Present[] & { count(): number };

/** How many are in a channel; 0 where it is empty. */
export interface ChannelStats {
  readonly name: string;
  readonly subscribers: number;
  readonly type: ChannelKind;
}

export class AppHandle<D extends Declaration = AnyDeclaration, U extends User = User> {
  readonly app: App;
  readonly #hub: Hub;

  constructor(hub: Hub, app: App) {
    this.#hub = hub;
    this.app = app;
  }

  toChannel<N extends ChannelName<D>>(name: N): Target<ChannelPush<D, N>> {
    return new Target(this.#hub, this.app, name);
  }

  /** All connections of a signed-in user, of both protocols. */
  toUser(id: string | number): Target<UserPush<D>> {
    return new Target(this.#hub, this.app, userChannel(String(id)));
  }

  /** The same, under the name that goes with `user` and `channel`. */
  connection(id: string): ConnectionTarget<UserPush<D>> {
    return this.toConnection(id);
  }

  /** One connection, wherever in the cluster it is. */
  toConnection(id: string): ConnectionTarget<UserPush<D>> {
    return new ConnectionTarget(this.#hub, this.app, id);
  }

  /** To act on all connections of a user, in the whole cluster. Throws CommandError `user_invalid`. */
  user(id: string | number): UserHandle<D> {
    return new UserHandle(this.#hub, this.app, id);
  }

  /** The channels that have subscribers, in the whole cluster. */
  async channels(prefix = ""): Promise<readonly ChannelInfo[]> {
    return (await this.#hub.channels(this.app, prefix)).map((summary) => infoOf(this.#hub, this.app, summary));
  }

  /** All that a program can do with one channel. */
  channel<N extends ChannelName<D>>(name: N): ChannelHandle<D, N> {
    return new ChannelHandle(this.#hub, this.app, name);
  }

  /**
   * Calls the listener with every event of the channel, wherever in the cluster it is published, one after the other in the
   * channel's order. Resolves when nothing published afterwards can be missed. Throws CommandError `channel_invalid`,
   * `engine_unavailable`.
   */
  subscribe<N extends ChannelName<D>>(...asked: Subscribing<D, N>): Promise<ChannelSubscription> {
    return subscribeProgram(this.#hub, this.app, ...asked);
  }

  /** The users in a presence channel, in the whole cluster. */
  members(name: string): Promise<readonly Presence[]> {
    return new ChannelHandle(this.#hub, this.app, name).members();
  }

  /**
   * What a channel with history keeps, oldest first: at most `limit` of what fits (100; 0 for the position alone). Pages go on from
   * `next`. Throws CommandError `channel_invalid`, RangeError.
   */
  history(name: string, query: HistoryQuery = {}): Promise<ChannelHistory> {
    return readHistory(this.#hub, this.app, name, query);
  }

  /**
   * Has the channel's history forgotten before its time, for good: all of it, or what `options` says. How many events that were.
   * Numbering goes on; who resumes from before what is gone is told so. Throws CommandError `channel_invalid`, `engine_unavailable`.
   */
  purgeHistory(name: string, options: PurgeOptions = {}): Promise<number> {
    return purgeHistory(this.#hub, this.app, name, options);
  }

  /** The connections of this process. */
  get connections(): Connections<U> {
    return new Connections(this.#hub, this.app);
  }

  // ---- one connection, of this process; `toConnection` is for those of the whole cluster

  isEstablished(id: string): boolean {
    return this.#hub.connection(this.app, id) !== undefined;
  }

  /** Pushes to one connection, in no channel. Whether it is there. Throws CommandError as `Target.push` does. */
  push(id: string, payload: UserPush<D>): boolean {
    const notice = noticeOf(this.#hub, this.app, payload);
    const connection = this.#hub.connection(this.app, id);
    if (connection) this.#hub.push(connection, notice);
    return connection !== undefined;
  }

  /** Ends one connection, for good: its client does not come back by itself. Whether it was there. */
  disconnect(id: string, message = DISCONNECTED_BY_PROGRAM): boolean {
    const connection = this.#hub.connection(this.app, id);
    if (connection) this.#hub.disconnect(connection, new Disconnect("terminated", message));
    return connection !== undefined;
  }

  // ---- all connections

  /** To the subscribers of the channel, or without one to every connection of the app, in the whole cluster. */
  broadcast(payload: UserPush<D>): Promise<void>;
  broadcast<N extends ChannelName<D>>(payload: ChannelPush<D, N>, channel: N): Promise<void>;
  async broadcast(payload: unknown, channel?: string): Promise<void> {
    if (channel !== undefined) return new Target(this.#hub, this.app, channel).push(payload);
    await this.#hub.clusterConnections.pushToApp(this.app, noticeOf(this.#hub, this.app, payload));
  }

  // ---- looking, in the words of other servers

  /** The users in a presence channel, in the whole cluster. */
  async getPresence(channel: string): Promise<PresenceList> {
    const members = await this.members(channel);
    const list = members.map(({ id, info, joinedAtMs }) => ({ id, info, connected_at: Math.floor(joinedAtMs / 1000) }));
    return Object.defineProperty(list, "count", { value: () => list.length }) as PresenceList & Present[];
  }

  async getChannelStats(name: string): Promise<ChannelStats> {
    const { traits } = this.#hub.channelOf(this.app, name);
    const summary = await this.#hub.summary(this.app, name);
    return { name, subscribers: summary?.subscribers ?? 0, type: kindOf(traits) };
  }

  async getChannels(): Promise<readonly ChannelStats[]> {
    return (await this.channels()).map(({ name, subscribers, type }) => ({ name, subscribers, type }));
  }

  /**
   * Closes every connection that is signed in as the user, for good: a token that was issued until now is refused for
   * `limits.revocationTtlS`, unless `revoke` is false. Throws CommandError `engine_unavailable`.
   */
  async terminate(userId: string | number, { revoke = true }: { readonly revoke?: boolean } = {}): Promise<void> {
    await this.#hub.steering.terminate(this.app, String(userId), revoke);
  }

  /**
   * Sets the options of one channel over the configuration's; options that are left out stay as configured. At
   * once, and until the process ends or it is called again. Throws ConfigError, CommandError `channel_invalid`.
   */
  createChannel(name: string, options: ChannelOptions = {}): this {
    const rule = parseChannel(name, options);
    checkChannelName(this.app, name);
    this.#hub.overrideChannel(this.app, name, rule);
    return this;
  }

  /** Back to what the configuration says. Whether there was a rule to remove. Subscribers stay. */
  removeChannel(name: string): boolean {
    return this.#hub.overrideChannel(this.app, name, undefined);
  }
}
