/** One channel of an app, as a program acts on it and looks at it, over the whole cluster. */

import type { AnyDeclaration } from "@fanfare/schema";
import type { App } from "../../domain/app.ts";
import { type ChannelKind, kindOf } from "../../domain/channel.ts";
import type { ChannelSummary } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Reached } from "../../hub/steering.ts";
import { kick, type ReconnectOptions, reconnect, type SteerOptions } from "./acts.ts";
import {
  type ChannelHistory,
  type HistoryQuery,
  type PurgeOptions,
  purgeHistory,
  readHistory,
} from "./channel-history.ts";
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
