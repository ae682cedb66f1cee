/** Every check of size, form, name and rate that the core makes. Each throws a CommandError that says the bound. */

import type { App } from "../domain/app.ts";
import { isInternal, userOfChannel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect } from "../domain/error.ts";
import type { ClientLimits, EventPublication } from "../domain/message.ts";
import type { Protocol } from "../domain/transport.ts";
import type { HubLimits } from "./options.ts";
import { takeToken } from "./token-bucket.ts";

/** Pusher protocol, channel names. */
const CHANNEL_NAME = /^[-a-zA-Z0-9_=@,.;]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Whether one more connection may come: as many as the process may have, and as the app may. */
export function checkPlace(app: App, limits: ProcessLimit, here: number, ofApp: number): void {
  if (here >= limits.connections) throw processFull(limits);
  const quota = app.limits.connections;
  if (ofApp >= quota) throw quotaExceeded(quota);
}

type ProcessLimit = Pick<HubLimits, "connections" | "connectionsLimitName">;

export function processFull({
  connections,
  connectionsLimitName: connectionsBound = "limits.connections",
}: ProcessLimit): Disconnect {
  return new Disconnect(
    "over_capacity",
    `This server has ${connections} connections, which is as many as it may (${connectionsBound}).`,
  );
}

export function quotaExceeded(most: number): Disconnect {
  return new Disconnect("quota_exceeded", `The app has ${most} connections, which is as many as it may (connections).`);
}

export function channelFull(most: number): CommandError {
  return new CommandError(
    "channel_full",
    `The channel has ${most} subscribers, which is as many as it may (maxSubscribers).`,
  );
}

export function checkChannelName(app: App, name: string): void {
  const user = userOfChannel(name);
  if (user !== undefined) return checkUserId(app, user);
  const most = app.limits.channelNameLength;
  if (name.length > most) {
    throw new CommandError(
      "channel_invalid",
      `The channel name is ${name.length} characters long; at most ${most} (channelNameLength).`,
    );
  }
  if (!CHANNEL_NAME.test(name)) {
    throw new CommandError("channel_invalid", "A channel name consists of letters, digits and - _ = @ , . ; only.");
  }
}

/** A channel that others than the server itself put connections into. */
export function checkOpenChannelName(app: App, name: string): void {
  checkChannelName(app, name);
  if (isInternal(name)) throw new CommandError("channel_invalid", "This channel is the server's own.");
}

export function checkUserId(app: App, id: string): void {
  const most = app.limits.userIdLength;
  if (id.length === 0 || id.length > most || CONTROL.test(id) || !id.isWellFormed()) {
    throw new CommandError(
      "user_invalid",
      `A user id has 1 to ${most} characters (userIdLength) and no control characters.`,
    );
  }
}

export function checkEventName(app: App, event: string): void {
  const most = app.limits.eventNameLength;
  if (event.length === 0 || event.length > most) {
    throw new CommandError(
      "event_invalid",
      `An event name has 1 to ${most} characters (eventNameLength); this one has ${event.length}.`,
    );
  }
  if (!event.isWellFormed()) throw new CommandError("event_invalid", "The event name is not well-formed Unicode.");
}

export function checkEventData(app: App, data: string): void {
  const most = app.limits.eventDataBytes;
  if (!isLongerThan(data, most)) return;
  // The text of Pusher's own refusal, which its libraries look for.
  const message = `The data content of this event exceeds the allowed maximum (${most} bytes, eventDataBytes)`;
  throw new CommandError("data_too_large", `${message}: it has ${utf8Bytes(data)}.`);
}

/** Throws when the client has sent as many events in the last second as it may. */
export function takeEventToken(connection: Connection, nowMs: number): void {
  const rate = connection.app.limits.clientEventsPerSecond;
  if (rate === Number.POSITIVE_INFINITY) return;
  connection.eventBucket ??= { tokens: rate, atMs: nowMs };
  const waitS = takeToken(connection.eventBucket, nowMs, rate);
  if (waitS !== undefined) throw rateLimited(`${rate} client events in a second (clientEventsPerSecond)`, waitS);
}

/** Throws when the client has subscribed as often in the last second as it may. */
export function takeSubscribeToken(connection: Connection, nowMs: number): void {
  const rate = connection.app.limits.subscribesPerSecond;
  if (rate === Number.POSITIVE_INFINITY) return;
  connection.subscribeBucket ??= { tokens: rate, atMs: nowMs };
  const waitS = takeToken(connection.subscribeBucket, nowMs, rate);
  if (waitS !== undefined) throw rateLimited(`${rate} subscriptions in a second (subscribesPerSecond)`, waitS);
}

/** Throws when the client has changed its state in the last second as often as it may. */
export function takeMemberUpdateToken(connection: Connection, nowMs: number): void {
  const rate = connection.app.limits.memberUpdatesPerSecond;
  connection.memberUpdateBucket ??= { tokens: rate, atMs: nowMs };
  const waitS = takeToken(connection.memberUpdateBucket, nowMs, rate);
  if (waitS !== undefined) throw rateLimited(`${rate} changes of state in a second (memberUpdatesPerSecond)`, waitS);
}

function rateLimited(most: string, waitS: number): CommandError {
  return new CommandError("rate_limited", `More than ${most}.`, { retryAfterMs: Math.ceil(waitS * 1000) });
}

/** Made once for each app: half a microsecond of a welcome. */
const limitsOfApps = new WeakMap<App, ClientLimits>();

/** What a client is told of its limits, so that it need not run into them. */
export function clientLimits(app: App): ClientLimits {
  let known = limitsOfApps.get(app);
  if (!known) {
    const { limits } = app;
    known = {
      ...unlessUnlimited("eventsPerSecond", limits.clientEventsPerSecond),
      ...unlessUnlimited("subscribesPerSecond", limits.subscribesPerSecond),
      ...unlessUnlimited("memberUpdatesPerSecond", limits.memberUpdatesPerSecond),
      ...unlessUnlimited("eventBytes", limits.eventDataBytes),
      ...unlessUnlimited("channels", limits.channelsPerConnection),
    };
    limitsOfApps.set(app, known);
  }
  return known;
}

function unlessUnlimited(name: keyof ClientLimits, most: number): ClientLimits {
  return most === Number.POSITIVE_INFINITY ? {} : { [name]: most };
}

/** A reason to disconnect when the client has sent as many frames in the last second as it may, of whatever kind. */
export function takeFrameToken(connection: Connection, nowMs: number): Disconnect | undefined {
  const rate = connection.app.limits.framesPerSecond;
  if (rate === Number.POSITIVE_INFINITY) return undefined;
  connection.frameBucket ??= { tokens: rate, atMs: nowMs };
  const waitS = takeToken(connection.frameBucket, nowMs, rate);
  if (waitS === undefined) return undefined;
  return new Disconnect("flooded", `More than ${rate} frames in a second (framesPerSecond).`);
}

/** `text` is what a member of a presence channel shows to the others, as JSON. */
export function checkMemberData(app: App, text: string): void {
  const most = app.limits.memberDataBytes;
  if (isLongerThan(text, most)) {
    const bound = `${most} (memberDataBytes)`;
    throw new CommandError("data_too_large", `The member's data has ${utf8Bytes(text)} bytes; at most ${bound}.`);
  }
}

/** `text` is what the clients of a member say of it, as JSON. */
export function checkMemberState(app: App, text: string): void {
  const most = app.limits.memberStateBytes;
  if (!isLongerThan(text, most)) return;
  const bound = `${most} (memberStateBytes)`;
  throw new CommandError("data_too_large", `The member's state has ${utf8Bytes(text)} bytes; at most ${bound}.`);
}

/** Whether the text takes more bytes than that in UTF-8. Measures only where the length does not decide it. */
export function isLongerThan(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  if (text.length * 3 <= bytes) return false;
  return utf8Bytes(text) > bytes;
}

export function utf8Bytes(text: string): number {
  return ENCODER.encode(text).length;
}

/** About as many bytes as a frame takes that carries it. */
export function bytesOf({ event, data, channel }: EventPublication): number {
  return utf8Bytes(data) + 3 * event.length + channel.length + FRAME_BYTES;
}

/** What a frame has beside the data and the names. */
const FRAME_BYTES = 200;

const ENCODER = new TextEncoder();

/** What client libraries report to their applications by events: `fanfare:gap`. Nobody may publish such a one. */
const LIBRARY_EVENTS = "fanfare:";

/** Such names are clients' in every protocol: not to ask them all saves a client event 0.1 µs. */
const CLIENT_EVENTS = "client-";

/** Throws where clients of any protocol, or Fanfare's own client libraries, would take an event of this name for one of their own. */
export function checkReserved(protocols: readonly Protocol[], event: string, fromClient: boolean): void {
  if (event.startsWith(CLIENT_EVENTS)) return;
  let isReserved = event.startsWith(LIBRARY_EVENTS);
  for (const protocol of protocols) isReserved ||= protocol.reservesEvent(event, fromClient);
  if (!isReserved) return;
  throw new CommandError("event_reserved", `The event name ${JSON.stringify(event)} is reserved.`);
}
