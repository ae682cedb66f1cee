/** One app of a running server, as a program sees it: push to it, look at it. */

import { type ChannelOptions, parseChannel } from "../config/channel.ts";
import type { App } from "../domain/app.ts";
import { type ChannelKind, kindOf, userChannel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type { Presence } from "../domain/message.ts";
import type { ChannelSummary } from "../domain/ports.ts";
import type { Hub } from "../hub/hub.ts";
import { checkChannelName } from "../hub/limits.ts";
import { Target } from "./target.ts";

export interface ChannelInfo extends ChannelSummary {
  readonly type: ChannelKind;
}

export class Tenancy {
  readonly app: App;
  readonly #hub: Hub;

  constructor(hub: Hub, app: App) {
    this.#hub = hub;
    this.app = app;
  }

  toChannel(name: string): Target {
    return new Target(this.#hub, this.app, name);
  }

  /** All connections of a signed-in user, of both protocols. */
  toUser(id: string): Target {
    return new Target(this.#hub, this.app, userChannel(id));
  }

  /** The channels that somebody is subscribed to, in the whole cluster. */
  async channels(prefix = ""): Promise<readonly ChannelInfo[]> {
    return (await this.#hub.channels(this.app, prefix)).map((summary) => this.#infoOf(summary));
  }

  /** Undefined when nobody is subscribed. */
  async channel(name: string): Promise<ChannelInfo | undefined> {
    const summary = await this.#hub.summary(this.app, name);
    return summary && this.#infoOf(summary);
  }

  /** The users in a presence channel, in the whole cluster. */
  async members(name: string): Promise<readonly Presence[]> {
    return this.#hub.members(this.app, name);
  }

  /** The connections of this process. */
  get connections(): Connections {
    return new Connections(this.#hub, this.app);
  }

  /** Closes every connection that is signed in as the user, for good. */
  async terminate(userId: string): Promise<void> {
    await this.#hub.terminate(this.app, userId);
  }

  /**
   * Says what applies to one channel, over what the configuration says; options that are left out stay as configured. At
   * once, and until the process ends or it is said again. Throws ConfigError, CommandError `channel_invalid`.
   */
  createChannel(name: string, options: ChannelOptions = {}): this {
    const rule = parseChannel(name, options);
    checkChannelName(this.app, name);
    this.#hub.makeChannel(this.app, name, rule);
    return this;
  }

  /** Back to what the configuration says. Whether anything else was said. Whoever is in the channel stays. */
  removeChannel(name: string): boolean {
    return this.#hub.makeChannel(this.app, name, undefined);
  }

  #infoOf(summary: ChannelSummary): ChannelInfo {
    return { ...summary, type: kindOf(this.#hub.channelOf(this.app, summary.name).traits) };
  }
}

/** The connections of one app in this process, as they are at the moment of asking. */
export class Connections implements Iterable<Readonly<Connection>> {
  readonly #hub: Hub;
  readonly #app: App;

  constructor(hub: Hub, app: App) {
    this.#hub = hub;
    this.#app = app;
  }

  get(id: string): Readonly<Connection> | undefined {
    return this.#hub.connection(this.#app, id);
  }

  count(): number {
    return this.#hub.connectionCountOf(this.#app);
  }

  [Symbol.iterator](): Iterator<Readonly<Connection>> {
    return this.#hub.connections(this.#app);
  }
}
