/** One user of an app, as a program acts on all of the user's connections, wherever in the cluster they are. */

import type { App } from "../../domain/app.ts";
import { userInfoJson } from "../../domain/user-info.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName, checkMemberData, checkUserId } from "../../hub/limits.ts";
import type { Reached } from "../../hub/steering.ts";

export interface PutOptions {
  /** In a presence channel, in place of the info that the user signed in with: any JSON. */
  readonly info?: unknown;
  /** How long connections that come are put there, too, in seconds: at most a day. */
  readonly stickyS?: number;
}

/** Each resolves with how many connections it reached; throws CommandError `channel_invalid`, `user_invalid`, `engine_unavailable`. */
export class UserHandle {
  readonly #hub: Hub;
  readonly #app: App;
  readonly id: string;

  constructor(hub: Hub, app: App, id: string) {
    checkUserId(app, id);
    this.#hub = hub;
    this.#app = app;
    this.id = id;
  }

  /** Puts the user's signed-in connections into the channel. Throws CommandError `data_too_large` where the info is. */
  async subscribe(channel: string, { info, stickyS }: PutOptions = {}): Promise<Reached> {
    checkChannelName(this.#app, channel);
    const infoText = info === undefined ? undefined : userInfoJson({ info });
    if (infoText !== undefined) checkMemberData(this.#app, infoText);
    return this.#hub.steering.subscribe(this.#app, {
      whose: { user: this.id },
      channel,
      ...(infoText !== undefined && { infoText }),
      ...(stickyS !== undefined && { stickyUntilMs: this.#hub.clock.wallMs() + stickyS * 1000 }),
    });
  }

  /** Takes them out again, and puts none there any more that comes. */
  async unsubscribe(channel: string, message = "The server's program ended this subscription."): Promise<Reached> {
    checkChannelName(this.#app, channel);
    return this.#hub.steering.unsubscribe(this.#app, { whose: { user: this.id }, channel, message });
  }

  /** Takes the user out of the channel; with `banS`, keeps the user out of it for so many seconds. */
  async kick(
    channel: string,
    { banS, message = "The server's program took this connection out of the channel." }: KickOptions = {},
  ): Promise<Reached> {
    checkChannelName(this.#app, channel);
    const bannedUntilMs = banS === undefined ? undefined : this.#hub.clock.wallMs() + banS * 1000;
    const act = { whose: { user: this.id }, channel, message };
    return this.#hub.steering.kick(this.#app, { ...act, ...(bannedUntilMs !== undefined && { bannedUntilMs }) });
  }

  /** Ends a ban. */
  async unban(channel: string): Promise<void> {
    checkChannelName(this.#app, channel);
    await this.#hub.steering.liftBan(this.#app, channel, this.id);
  }

  /** Has the user's clients connect again, over so many milliseconds: what they may they still may. */
  async reconnect(spreadMs = 0): Promise<Reached> {
    const message = "The server's program asks this client to connect again.";
    return this.#hub.steering.steer(this.#app, { type: "reconnect", whose: { user: this.id }, message, spreadMs });
  }
}

export interface KickOptions {
  readonly banS?: number;
  /** For the client. */
  readonly message?: string;
}
