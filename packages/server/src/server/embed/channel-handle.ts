/** One channel of an app, as a program acts on it and looks at it, over the whole cluster. */

import type { AnyDeclaration } from "@fanfare/schema";
import type { App } from "../../domain/app.ts";
import { type ChannelKind, kindOf } from "../../domain/channel.ts";
import type { Position, PurgeRange, Sender } from "../../domain/message.ts";
import { payloadValue } from "../../domain/payload.ts";
import type { ChannelSummary, StoredEvent } from "../../domain/ports.ts";
import { readEvents } from "../../hub/histories.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName } from "../../hub/limits.ts";
import type { Reached } from "../../hub/steering.ts";
import { kick, type ReconnectOptions, reconnect, type SteerOptions } from "./acts.ts";
import {
  type ChannelListener,
  type ChannelSubscription,
  type SubscribeOptions,
  subscribeProgram,
} from "./channel-subscription.ts";
import { Target } from "./targets.ts";
import type { ChannelPush, Presence } from "./types.ts";

export interface ChannelInfo extends ChannelSummary {
  readonly type: ChannelKind;
}

export function infoOf(hub: Hub, app: App, summary: ChannelSummary): ChannelInfo {
  return { ...summary, type: kindOf(hub.channelOf(app, summary.name).traits) };
}

/** Everything throws CommandError `channel_invalid`, `engine_unavailable`. Acts resolve with how many connections they reached. */
export class ChannelHandle<D = AnyDeclaration, N extends string = string> extends Target<ChannelPush<D, N>> {
  readonly name: N;
  readonly #hub: Hub;
  readonly #app: App;

  constructor(hub: Hub, app: App, name: N) {
    super(hub, app, name);
    this.name = name;
    this.#hub = hub;
    this.#app = app;
  }

  /** As the app's `subscribe`. */
  subscribe(listener: ChannelListener<D, N>, options?: SubscribeOptions): Promise<ChannelSubscription> {
    return subscribeProgram(this.#hub, this.#app, this.name, listener, options);
  }

  /** Undefined when it has no subscribers. */
  async info(): Promise<ChannelInfo | undefined> {
    const summary = await this.#hub.summary(this.#app, this.name);
    return summary && infoOf(this.#hub, this.#app, summary);
  }

  /** The users in a presence channel. */
  async members(): Promise<readonly Presence[]> {
    const members = await this.#hub.members(this.#app, this.name);
    return members.map(({ state, ...member }) =>
      state === undefined ? member : { ...member, state: JSON.parse(state) as unknown },
    );
  }

  /** As the app's `history`. */
  history(query: HistoryQuery = {}): Promise<ChannelHistory> {
    return readHistory(this.#hub, this.#app, this.name, query);
  }

  /** As the app's. */
  purgeHistory(options: PurgeOptions = {}): Promise<number> {
    return purgeHistory(this.#hub, this.#app, this.name, options);
  }

  /** Takes everybody out of it. For one, there are `kick` of `user` and of `connection`. */
  kick(options: SteerOptions = {}): Promise<Reached> {
    return kick({ hub: this.#hub, app: this.#app }, { channel: this.name }, this.name, options);
  }

  /** Has the clients that are in it connect again: what they may they still may. */
  reconnect(options: ReconnectOptions = {}): Promise<Reached> {
    return reconnect({ hub: this.#hub, app: this.#app }, { channel: this.name }, options);
  }
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

/** Throws CommandError `channel_invalid`, RangeError. */
export async function readHistory(
  hub: Hub,
  app: App,
  channel: string,
  { since, after = since, limit = 100, direction = after ? "oldest" : "newest", ...bounds }: HistoryQuery,
): Promise<ChannelHistory> {
  checkChannelName(app, channel);
  if (!Number.isSafeInteger(limit) || limit < 0) throw new RangeError("The limit has to be a whole number from 0 up.");
  const query = { ...bounds, ...(after && { after }), limit, direction };
  const { events: kept, position, complete, next } = await readEvents(hub, app, channel, query);
  return { events: kept.map(eventOf), position, complete, ...(next && { next }) };
}

/** How many events were forgotten. Throws CommandError `channel_invalid`, `engine_unavailable`. */
export async function purgeHistory(
  hub: Hub,
  app: App,
  channel: string,
  { before, toMs, event }: PurgeOptions,
): Promise<number> {
  checkChannelName(app, channel);
  const part: PurgeRange = toMs === undefined ? { type: "all" } : { type: "older", toMs };
  const range: PurgeRange = before ? { type: "before", position: before } : part;
  const wanted: PurgeRange = event ? { type: "event", position: event } : range;
  return (await hub.histories.purge(app, channel, wanted)).purged;
}

function eventOf({ publication, expiresInMs }: StoredEvent): HistoryEvent {
  const { event, data, from, position, atMs = 0 } = publication;
  return { event, data: payloadValue(data), position, atMs, ...(from && { from }), expiresInMs };
}
