/** What a program does with connections by name: the same for a user's, for one, and for all in a channel. */

import type { App } from "../../domain/app.ts";
import { userInfoJson } from "../../domain/user-info.ts";
import { LONGEST_BAN_MS } from "../../hub/bans.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName, checkMemberData, checkUserId } from "../../hub/limits.ts";
import { KICKED, RECONNECT, UNSUBSCRIBED, type Whose } from "../../hub/steer-act.ts";
import type { Reached } from "../../hub/steering.ts";
import { LONGEST_STICKY_MS } from "../../hub/sticky-subscriptions.ts";

export interface PutOptions {
  /** In a presence channel, in place of the info that the user signed in with: any JSON. */
  readonly info?: unknown;
  /** When the subscription ends, in Unix milliseconds. A later call changes it. */
  readonly expiresAtMs?: number;
  /** How long connections that come are put there, too, in seconds: at most a day. */
  readonly stickyS?: number;
}

/** For one connection. */
export interface PutConnectionOptions extends Pick<PutOptions, "info" | "expiresAtMs"> {
  /** As whom it is in a presence channel, where it is not signed in. */
  readonly user?: string | number;
}

export interface SteerOptions {
  /** For the client. */
  readonly message?: string;
}

export interface KickOptions extends SteerOptions {
  /** How long the user is kept out, in seconds: at most thirty days. */
  readonly banS?: number;
}

export interface ReconnectOptions extends SteerOptions {
  /** Over how many milliseconds clients come back, each at another time. */
  readonly spreadMs?: number;
}

/** The hub, and the app whose connections it is about. */
export interface Steered {
  readonly hub: Hub;
  readonly app: App;
}

export async function put(
  { hub, app }: Steered,
  whose: Whose,
  channel: string,
  { info, stickyS, user, expiresAtMs }: PutOptions & PutConnectionOptions,
): Promise<Reached> {
  checkChannelName(app, channel);
  if (expiresAtMs !== undefined && !(expiresAtMs > hub.clock.wallMs())) {
    throw new RangeError("expiresAtMs is a time to come, in Unix milliseconds.");
  }
  const infoText = info === undefined ? undefined : userInfoJson({ info });
  if (infoText !== undefined) checkMemberData(app, infoText);
  const member = user === undefined ? undefined : userId(app, user);
  return hub.steering.subscribe(app, {
    whose,
    channel,
    ...(infoText !== undefined && { infoText }),
    ...(member !== undefined && { member }),
    ...(stickyS !== undefined && { stickyUntilMs: untilMs(hub, "stickyS", stickyS, LONGEST_STICKY_MS) }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  });
}

export async function takeOut(
  { hub, app }: Steered,
  whose: Whose,
  channel: string,
  { message = UNSUBSCRIBED }: SteerOptions,
): Promise<Reached> {
  checkChannelName(app, channel);
  return hub.steering.unsubscribe(app, { whose, channel, message });
}

export async function kick(
  { hub, app }: Steered,
  whose: Whose,
  channel: string,
  { banS, message = KICKED }: KickOptions,
): Promise<Reached> {
  checkChannelName(app, channel);
  const ban = banS !== undefined && { bannedUntilMs: untilMs(hub, "banS", banS, LONGEST_BAN_MS) };
  return hub.steering.kick(app, { whose, channel, message, ...ban });
}

export async function unban({ hub, app }: Steered, channel: string, user: string | number): Promise<void> {
  checkChannelName(app, channel);
  await hub.steering.liftBan(app, channel, userId(app, user));
}

export async function reconnect(
  { hub, app }: Steered,
  whose: Whose,
  { spreadMs = 0, message = RECONNECT }: ReconnectOptions,
): Promise<Reached> {
  return hub.steering.steer(app, { type: "reconnect", whose, message, spreadMs });
}

/** Throws CommandError `user_invalid`. */
export function userId(app: App, id: string | number): string {
  checkUserId(app, String(id));
  return String(id);
}

function untilMs({ clock }: Hub, name: string, seconds: number, mostMs: number): number {
  if (seconds > 0 && seconds * 1000 <= mostMs) return clock.wallMs() + seconds * 1000;
  throw new RangeError(`${name} is more than 0 and at most ${mostMs / 1000}, in seconds.`);
}
