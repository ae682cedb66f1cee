/** One app of a running server, as a program sees it: push to it, look at it. */

import type { AnyDeclaration, ChannelName, Declaration } from "@fanfare/schema";
import { type ChannelOptions, parseChannel } from "../../config/channel-options.ts";
import type { App } from "../../domain/app.ts";
import { type ChannelKind, kindOf, userChannel } from "../../domain/channel.ts";
import { Disconnect } from "../../domain/error.ts";
import type { Member, Position, PresenceMember, Sender, User } from "../../domain/message.ts";
import { payloadValue } from "../../domain/payload.ts";
import type { ChannelSummary, PurgeRange, StoredEvent } from "../../domain/ports.ts";
import { readEvents } from "../../hub/history-page.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName } from "../../hub/limits.ts";
import { Connections } from "./connections.ts";
import { ConnectionTarget, DISCONNECTED_BY_PROGRAM, noticeOf, Target } from "./targets.ts";
import type { ChannelPush, UserPush } from "./types.ts";
import { UserHandle } from "./user-handle.ts";

export interface ChannelInfo extends ChannelSummary {
  readonly type: ChannelKind;
}

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

/** All bounds hold together; times are Unix milliseconds by the engine's clock. */
export interface HistoryQuery {
  /** Only what was published after it: the position of an event, or `next` of the page before. */
  readonly after?: Position;
  /** The same. */
  readonly since?: Position;
  readonly before?: Position;
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Which of those that fit, where there are more: `"oldest"` is the default with `after`, `"newest"` without it. */
  readonly direction?: "oldest" | "newest";
  readonly limit?: number;
}

/** What to forget: all, what came before a position or a time, or one event. */
export interface PurgeOptions {
  readonly before?: Position;
  readonly toMs?: number;
  readonly event?: Position;
}

export interface ChannelHistory {
  readonly events: readonly HistoryEvent[];
  /** Of the channel's newest event. */
  readonly position: Position;
  /** False where something that belongs in the page is lost; where that is after `after`, the oldest that are kept are given. */
  readonly complete: boolean;
  /** For the next page in the same direction, as `after` or as `before`. Absent at the end. */
  readonly next?: Position;
}

export interface HistoryEvent {
  readonly event: string;
  /** The value that was published; a whole object where that was pushed as it is. */
  readonly data: unknown;
  readonly position: Position | undefined;
  /** When it was published, Unix milliseconds by the engine's clock; it never goes back within an epoch. */
  readonly atMs: number;
  /** The client that published it; absent when a back end or the program did. */
  readonly from?: Sender;
  /** How long it is still kept, in milliseconds. */
  readonly expiresInMs: number;
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

  /** One connection, wherever in the cluster it is. */
  toConnection(id: string): ConnectionTarget<UserPush<D>> {
    return new ConnectionTarget(this.#hub, this.app, id);
  }

  /** To act on all connections of a user, in the whole cluster. Throws CommandError `user_invalid`. */
  user(id: string | number): UserHandle {
    return new UserHandle(this.#hub, this.app, String(id));
  }

  /** The channels that have subscribers, in the whole cluster. */
  async channels(prefix = ""): Promise<readonly ChannelInfo[]> {
    return (await this.#hub.channels(this.app, prefix)).map((summary) => this.#infoOf(summary));
  }

  /** Undefined when it has no subscribers. */
  async channel(name: string): Promise<ChannelInfo | undefined> {
    const summary = await this.#hub.summary(this.app, name);
    return summary && this.#infoOf(summary);
  }

  /** The users in a presence channel, in the whole cluster. */
  async members(name: string): Promise<readonly PresenceMember[]> {
    return this.#hub.members(this.app, name);
  }

  /**
   * What a channel with history keeps, oldest first: at most `limit` of what fits (100; 0 for the position alone). Pages go on from
   * `next`. Throws CommandError `channel_invalid`, RangeError.
   */
  async history(name: string, options: HistoryQuery = {}): Promise<ChannelHistory> {
    checkChannelName(this.app, name);
    const { since, after = since, limit = 100, direction = after ? "oldest" : "newest", ...bounds } = options;
    if (!Number.isSafeInteger(limit) || limit < 0)
      throw new RangeError("The limit has to be a whole number from 0 up.");
    const query = { ...bounds, ...(after && { after }), limit, direction };
    const { events: kept, position, complete, next } = await readEvents(this.#hub, this.app, name, query);
    return { events: kept.map(eventOf), position, complete, ...(next && { next }) };
  }

  /**
   * Has the channel's history forgotten before its time, for good: all of it, or what `options` says. How many events that were.
   * Numbering goes on; who resumes from before what is gone is told so. Throws CommandError `channel_invalid`, `engine_unavailable`.
   */
  async purgeHistory(name: string, { before, toMs, event }: PurgeOptions = {}): Promise<number> {
    checkChannelName(this.app, name);
    const part: PurgeRange = toMs === undefined ? { type: "all" } : { type: "older", toMs };
    const range: PurgeRange = before ? { type: "before", position: before } : part;
    const { purged } = await this.#hub.histories.purge(
      this.app,
      name,
      event ? { type: "event", position: event } : range,
    );
    return purged;
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

  #infoOf(summary: ChannelSummary): ChannelInfo {
    return { ...summary, type: kindOf(this.#hub.channelOf(this.app, summary.name).traits) };
  }
}

function eventOf({ publication, expiresInMs }: StoredEvent): HistoryEvent {
  const { event, data, from, position, atMs = 0 } = publication;
  return { event, data: payloadValue(data), position, atMs, ...(from && { from }), expiresInMs };
}
