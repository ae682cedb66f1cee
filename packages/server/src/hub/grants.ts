/**
 * What clients are permitted in single channels: by their token's patterns, or by the word of the program or of the app's back end,
 * which may end and may say whether the client publishes there. Who is permitted no more is taken out.
 */

import { type Channel, matches, traitsOf } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Member, Push, User } from "../domain/message.ts";
import type { Clock } from "../domain/ports.ts";
import { holdTurn } from "./turns.ts";

/** What was said of one subscription, beside that it may be. */
export interface Grant {
  /** Until when, in Unix milliseconds. */
  readonly expiresAtMs?: number | undefined;
  /** Whether the client may publish there, whatever the channel's rule says. */
  readonly publish?: boolean | undefined;
}

/** A channel's permission: as whom, where that is said, and what else. */
export interface Permission extends Grant {
  readonly member?: Member;
}

/** Whether the user's token names the channel. */
export function isGranted(user: User | undefined, channel: string): boolean {
  return user?.channels?.some((pattern) => matches(pattern, channel)) ?? false;
}

/** Whether the user's token lets it see the channel's members without being one. */
export function mayWatch(user: User | undefined, channel: string): boolean {
  return user?.watch?.some((pattern) => matches(pattern, channel)) ?? false;
}

/** Whether the connection is in the presence channel and no member. */
export function isWatching(connection: Connection, { name, traits }: Pick<Channel, "name" | "traits">): boolean {
  return traits.presence && connection.isIn(name) && connection.memberIn(name) === undefined;
}

function isStillGranted(connection: Connection, channel: string): boolean {
  const isWatched = isWatching(connection, { name: channel, traits: traitsOf(channel) });
  return isWatched ? mayWatch(connection.user, channel) : isGranted(connection.user, channel);
}

/** The connection is in the channel by this; nothing is remembered of a grant that says nothing. */
export function noteGrant(
  connection: Connection,
  channel: string,
  { expiresAtMs, publish }: Grant,
  clock: Clock,
): void {
  if (expiresAtMs === undefined && publish === undefined) return;
  // By the clock that does not jump: it was said just now, by the other.
  const untilMs =
    expiresAtMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + expiresAtMs - clock.wallMs();
  connection.grants ??= new Map();
  connection.grants.set(channel, { expiresAtMs: untilMs, publish });
  connection.checkAtMs = Math.min(connection.checkAtMs, untilMs);
}

/** Said again of a channel that it is in: another end, or none any more. What has no end gets none by it. */
export function renewGrant(
  connection: Connection,
  channel: string,
  expiresAtMs = Number.POSITIVE_INFINITY,
  clock: Clock,
): void {
  const grant = connection.grants?.get(channel);
  if (grant && grant.expiresAtMs < Number.POSITIVE_INFINITY)
    noteGrant(connection, channel, { ...grant, expiresAtMs }, clock);
}

/** Takes the connection out of the channels for which its permission is over. */
export function endGrants(hub: ExpelHost, connection: Connection, nowMs: number): void {
  for (const [channel, { expiresAtMs }] of [...(connection.grants ?? [])]) {
    if (expiresAtMs > nowMs) continue;
    expel(hub, connection, channel, "permission_gone", "The permission for this channel has ended: ask for it again.");
  }
}

/** When the first of them ends. */
export function grantsEndAtMs({ grants }: Connection): number {
  let endMs = Number.POSITIVE_INFINITY;
  for (const { expiresAtMs } of grants?.values() ?? []) endMs = Math.min(endMs, expiresAtMs);
  return endMs;
}

/** What says who the client is may name fewer channels than what said so before. */
export function leaveWithdrawn(hub: ExpelHost, connection: Connection): void {
  for (const channel of [...(connection.grantedByToken ?? [])]) {
    if (isStillGranted(connection, channel)) continue;
    expel(
      hub,
      connection,
      channel,
      "permission_gone",
      "What says who this client is does not name this channel any more.",
    );
  }
}

// ---- taking out of a channel whose client did not ask to leave it

/** As the hub is. */
export interface ExpelHost {
  leave(connection: Connection, channel: string): Promise<void>;
  push(connection: Connection, push: Push): void;
  observe(event: HubEvent): void;
}

/** Takes the connection out of the channel. Whether it was in it. What the client sent next waits until the cluster knows. */
export function expel(hub: ExpelHost, connection: Connection, channel: string, code: string, message: string): boolean {
  if (!connection.isIn(channel)) return false;
  const left = hub.leave(connection, channel).catch((error) => {
    hub.observe({ type: "failed", error, during: `taking a connection out of ${channel}`, connection });
  });
  hub.push(connection, { type: "unsubscribed", channel, by: { code, message } });
  holdTurn(connection, left);
  return true;
}
