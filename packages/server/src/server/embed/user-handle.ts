/** One user of an app, as a program acts on all of the user's connections, wherever in the cluster they are. */

import type { AnyDeclaration } from "@fanfare/schema";
import type { App } from "../../domain/app.ts";
import { userChannel } from "../../domain/channel.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Reached } from "../../hub/steering.ts";
import {
  type KickOptions,
  kick,
  type PutOptions,
  put,
  type ReconnectOptions,
  reconnect,
  type Steered,
  type SteerOptions,
  takeOut,
  unban,
  userId,
} from "./acts.ts";
import { Target } from "./targets.ts";
import type { UserPush } from "./types.ts";

/** Each act resolves with how many connections it reached; throws CommandError `channel_invalid`, `engine_unavailable`. */
export class UserHandle<D = AnyDeclaration> {
  readonly #of: Steered;
  readonly id: string;

  /** Throws CommandError `user_invalid`. */
  constructor(hub: Hub, app: App, id: string | number) {
    this.id = userId(app, id);
    this.#of = { hub, app };
  }

  /** To all connections that are signed in as the user, as `toUser(id).push`. */
  push(payload: UserPush<D>): Promise<void> {
    return new Target<UserPush<D>>(this.#of.hub, this.#of.app, userChannel(this.id)).push(payload);
  }

  /** Puts the user's signed-in connections into the channel. Throws CommandError `data_too_large` where the info is; RangeError. */
  subscribe(channel: string, options: PutOptions = {}): Promise<Reached> {
    return put(this.#of, { user: this.id }, channel, options);
  }

  /** Takes them out again, and puts none there any more that comes. */
  unsubscribe(channel: string, options: SteerOptions = {}): Promise<Reached> {
    return takeOut(this.#of, { user: this.id }, channel, options);
  }

  /** Takes the user out of the channel; with `banS`, keeps the user out of it for so many seconds. Throws RangeError, too. */
  kick(channel: string, options: KickOptions = {}): Promise<Reached> {
    return kick(this.#of, { user: this.id }, channel, options);
  }

  /** Ends a ban. */
  unban(channel: string): Promise<void> {
    return unban(this.#of, channel, this.id);
  }

  /** Has the user's clients connect again: what they may they still may. */
  reconnect(options: ReconnectOptions = {}): Promise<Reached> {
    return reconnect(this.#of, { user: this.id }, options);
  }

  /**
   * Closes every connection of the user, for good: a token that was issued until now is refused for `limits.revocationTtlS`,
   * unless `revoke` is false.
   */
  disconnect({ revoke = true }: { readonly revoke?: boolean } = {}): Promise<Reached> {
    return this.#of.hub.steering.terminate(this.#of.app, this.id, revoke);
  }
}
