/** The native protocol: JSON objects with an `event`, payloads as they are. Normative text: docs/protocol/native.md. */

import { userOfChannel } from "../../domain/channel.ts";
import { CommandError, type CommandReference, type Disconnect } from "../../domain/error.ts";
import { memberText, onOneLine } from "../../domain/json-text.ts";
import type {
  ChannelProof,
  CloseFrame,
  Command,
  Credentials,
  EventPublication,
  HistoryPush,
  MemberUpdate,
  NoticePush,
  Position,
  Push,
  Ref,
  SessionInfo,
} from "../../domain/message.ts";
import { payloadFrom, payloadJson } from "../../domain/payload.ts";
import type { Frame, Protocol } from "../../domain/transport.ts";
import { type UserInfo, userInfoJson } from "../../domain/user-info.ts";
import { CLOSE_CODES } from "../close-codes.ts";
import { isObject, type JsonObject, own, parseFrame } from "../json.ts";
import { positionIn, positionText, previousIdsIn, resumeOptionsIn } from "../resume.ts";
import { decodePlainPublish } from "./plain-publish.ts";
import { FEATURES, ID_LENGTH, isReservedName, type ServerFrame, type WireWelcome } from "./wire.ts";

export function nativeProtocol(options: { readonly jsonDepth: number }): Protocol {
  return {
    name: "native",
    joinsUserChannel: true,
    asksForUserChannel: false,
    acceptsTokens: true,
    recovers: true,
    decode: (frame) => decode(frame, options.jsonDepth),
    encode,
    encodeClose: closing,
    reservesEvent: (event, fromClient) => fromClient && isReservedName(event),
  };
}

/** What most frames say beyond what they have to. */
const NOTHING = {};

function decode(frame: Frame, jsonDepth: number): Command {
  const plain = decodePlainPublish(frame, jsonDepth);
  if (plain) return plain;
  const message = parseFrame(frame, jsonDepth);
  const ref = refIn(message);
  try {
    return commandOf(message, ref, String(frame));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(error.code, error.message, { ...ref, ...channelIn(message) });
  }
}

function commandOf(message: JsonObject, ref: { ref?: Ref }, frame: string): Command {
  const event = own(message, "event");
  if (typeof event !== "string") throw new CommandError("malformed", "A message needs an event, which is a string.");
  const data = own(message, "data");
  switch (event) {
    case "subscribe":
      return decodeSubscribe(objectOf(data), ref);
    case "unsubscribe":
      return { type: "unsubscribe", channel: textOf(objectOf(data), "channel"), ...ref };
    case "publish":
      return decodePublish(objectOf(data), ref, frame);
    case "presence":
      return { type: "presence", channel: textOf(objectOf(data), "channel"), state: stateIn(frame), ...ref };
    case "history":
      return decodeHistory(objectOf(data), ref);
    case "authenticate":
      return { type: "signin", by: decodeCredentials(objectOf(data)), ...ref };
    case "ping":
      return { type: "ping", ...ref };
    case "pong":
      return { type: "pong" };
  }
  return { type: "call", event, data: data ?? null, ...ref };
}

function decodeSubscribe(data: JsonObject, ref: { ref?: Ref }): Command {
  const channel = textOf(data, "channel");
  const auth = optionalTextOf(data, "auth");
  const more = { ...resumeOptionsIn(data, "previousIds"), ...watchIn(data), ...ref };
  if (!auth) return { type: "subscribe", channel, ...more };
  const channelData = optionalTextOf(data, "channel_data");
  const proof: ChannelProof = channelData === undefined ? { auth } : { auth, data: channelData };
  return { type: "subscribe", channel, proof, ...more };
}

function watchIn(data: JsonObject): { watch?: true } {
  const presence = own(data, "presence") ?? undefined;
  if (presence === undefined) return NOTHING;
  if (presence === "watch") return { watch: true };
  throw new CommandError("malformed", 'The data\'s presence is not "watch".');
}

/** As it was written; null takes it away. */
function stateIn(frame: string): string | null {
  const text = memberText(memberText(frame, "data") ?? "", "state");
  if (text === undefined) throw new CommandError("malformed", "The data needs a state: any JSON value, or null.");
  return text === "null" ? null : text;
}

function decodeHistory(data: JsonObject, ref: { ref?: Ref }): Command {
  const channel = textOf(data, "channel");
  const [after, before] = [positionIn(data, "after"), positionIn(data, "before")];
  const numbers = numbersIn(data, "limit", "fromMs", "toMs");
  const direction = directionIn(data);
  const previousIds = previousIdsIn(data, "previousIds");
  return {
    type: "history",
    channel,
    ...(after && { after }),
    ...(before && { before }),
    ...numbers,
    ...(direction && { direction }),
    ...(previousIds && { previousIds }),
    ...ref,
  };
}

function numbersIn<Key extends string>(data: JsonObject, ...keys: readonly Key[]): { readonly [K in Key]?: number } {
  const found = keys.flatMap((key) => {
    const number = own(data, key) ?? undefined;
    if (number === undefined) return [];
    if (Number.isSafeInteger(number)) return [[key, number] as const];
    throw new CommandError("malformed", `The data's ${key} is not a whole number.`);
  });
  return Object.fromEntries(found) as { [K in Key]?: number };
}

function directionIn(data: JsonObject): "oldest" | "newest" | undefined {
  const direction = own(data, "direction") ?? undefined;
  if (direction === undefined || direction === "oldest" || direction === "newest") return direction;
  throw new CommandError("malformed", 'The data\'s direction is neither "oldest" nor "newest".');
}

/** A token alone is a token; anything else is for the program to understand. */
function decodeCredentials(credentials: JsonObject): Credentials {
  const isToken = Object.keys(credentials).every((key) => key === "token");
  return isToken ? { type: "token", token: textOf(credentials, "token") } : { type: "credentials", credentials };
}

function decodePublish(data: JsonObject, ref: { ref?: Ref }, frame: string): Command {
  const event = optionalTextOf(data, "event") ?? "message";
  const key = optionalTextOf(data, "idempotencyKey");
  const afterKey = optionalTextOf(data, "afterKey");
  const once = { ...(key !== undefined && { key }), ...(afterKey !== undefined && { afterKey }), ...ref };
  const payload = own(data, "data");
  const text = typeof payload === "string" ? undefined : memberText(memberText(frame, "data") ?? "", "data");
  return { type: "publish", channel: textOf(data, "channel"), event, data: payloadFrom(payload, text), ...once };
}

function refIn(message: JsonObject): { ref?: Ref } {
  const id = own(message, "id");
  if (id === undefined || id === null) return NOTHING;
  if (Number.isFinite(id) || (typeof id === "string" && id.length <= ID_LENGTH)) return { ref: id as Ref };
  throw new CommandError("malformed", `An id is a number or a string of at most ${ID_LENGTH} characters.`);
}

/** The channel that a frame is about, where it says so at all. */
function channelIn(message: JsonObject): { channel?: string } {
  const data = own(message, "data");
  const channel = isObject(data) ? own(data, "channel") : undefined;
  return typeof channel === "string" ? { channel } : {};
}

function objectOf(data: unknown): JsonObject {
  if (isObject(data)) return data;
  throw new CommandError("malformed", "The message needs data, which is an object.");
}

function textOf(data: JsonObject, key: string): string {
  const value = own(data, key);
  if (typeof value === "string") return value;
  throw new CommandError("malformed", `The data needs a ${key}, which is a string.`);
}

function optionalTextOf(data: JsonObject, key: string): string | undefined {
  const value = own(data, key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new CommandError("malformed", `The data's ${key} is not a string.`);
}

function encode(push: Push): string | undefined {
  switch (push.type) {
    case "event":
    case "notice":
      return encodeEvent(push);
    case "welcome":
      return welcome(push);
    case "subscribed":
      return subscribed(push);
    case "history":
      return historyPage(push);
    case "joined":
      return withUser({ event: "member_added", channel: push.channel }, push.member);
    case "updated":
      return merged(
        JSON.stringify({ event: "member_updated", channel: push.channel }),
        `{"data":{"user":${updateJson(push.member)}}}`,
      );
    case "signed-in":
      return withUser({ event: "authenticated", ...idOf(push.ref) }, push.user);
  }
  const frame = frameOf(push);
  return frame && JSON.stringify(frame);
}

type Plain = Exclude<
  Push,
  EventPublication | NoticePush | { type: "welcome" | "subscribed" | "history" | "joined" | "updated" | "signed-in" }
>;

function frameOf(push: Plain): ServerFrame | undefined {
  switch (push.type) {
    case "unsubscribed":
      return {
        event: "unsubscribed",
        channel: push.channel,
        ...idOf(push.ref),
        ...(push.by && { by: "server", ...push.by }),
      };
    case "published":
      if (push.ref === undefined) return undefined;
      return { event: "published", channel: push.channel, id: push.ref, ...positionOf(push) };
    case "presence":
      return push.ref === undefined ? undefined : { event: "presence", channel: push.channel, id: push.ref };
    case "left":
      return { event: "member_removed", channel: push.channel, data: { user: { id: push.member.id } } };
    case "count":
      return { event: "subscription_count", channel: push.channel, data: { count: push.count } };
    case "missed":
      return { event: "cache_miss", channel: push.channel };
    case "gap":
      return { event: "gap", ...(userOfChannel(push.channel) === undefined && { channel: push.channel }) };
    case "watch":
      return { event: "watchlist", data: { online: [...push.online], offline: [...push.offline] } };
    case "result":
      return { event: "result", id: push.ref, data: push.data };
    case "refused":
      return refusal(push);
    case "expiring":
      return { event: "expiring", data: { afterMs: push.afterMs } };
    case "pong":
      return { event: "pong", ...idOf(push.ref) };
    case "ping":
      // Asked by a WebSocket ping, which every client answers by itself.
      return undefined;
  }
}

/**
 * The hot one. Payloads are embedded, not parsed into objects and written again. Events for one user, for one
 * connection or for a whole app have no channel, and an event that has one of this protocol's own names is marked, so that it can't be taken for one of the server's own.
 */
function encodeEvent(push: EventPublication | NoticePush): string {
  const { event, data, bare } = push;
  const channel = push.type === "event" && userOfChannel(push.channel) === undefined ? push.channel : undefined;
  const more = placeInHistory(push) + (isReservedName(event) ? ',"pushed":true' : "");
  if (bare) {
    const place = channel === undefined ? "" : `,"channel":${JSON.stringify(channel)}`;
    const inner = innerOf(push);
    return inner === "" ? `{${(place + more).slice(1)}}` : `{${inner}${place}${more}}`;
  }
  const user = push.type === "event" ? push.from?.user : undefined;
  const sender = user === undefined ? "" : `,"user":${JSON.stringify(user)}`;
  // One text for both names, and few pieces: each costs some 30 ns.
  const head = JSON.stringify({ event, channel });
  return `${head.substring(0, head.length - 1)},"data":${payloadJson(data)}${sender + more + traceOf(push)}}`;
}

function placeInHistory(push: EventPublication | NoticePush): string {
  if (push.type !== "event" || !push.position) return "";
  return `,${positionText(push.position)}`;
}

function traceOf(push: EventPublication | NoticePush): string {
  return push.type === "event" && push.traceparent !== undefined ? `,"traceparent":"${push.traceparent}"` : "";
}

/** The members of a bare object, without a `position` of its own where it gets the channel's. */
function innerOf(push: EventPublication | NoticePush): string {
  const isSafe = push.type !== "event" || !push.position || !push.data.includes('"position"');
  if (isSafe) return onOneLine(push.data.slice(1, -1));
  const { position: _, ...rest } = JSON.parse(push.data);
  return JSON.stringify(rest).slice(1, -1);
}

/** What has users in it is put together as text, so that their info stays as it was written. */
function subscribed(push: Extract<Push, { type: "subscribed" }>): string {
  const { channel, ref: id, members, recovered, rewound, by } = push;
  const { position } = positionOf(push);
  const complete = rewound === undefined ? undefined : push.complete;
  // In one, and without the members that are not there: seven objects less for each client that comes.
  if (!members) {
    return JSON.stringify({ event: "subscribed", channel, id, by, position, recovered, rewound, complete });
  }
  const frame: ServerFrame = { event: "subscribed", channel, ...idOf(id), ...(by && { by }) };
  const more = { position, recovered, rewound, complete };
  return merged(
    JSON.stringify(frame),
    `{"data":{"members":[${members.map(memberJson).join()}]}}`,
    JSON.stringify(more),
  );
}

/** The events are frames as they are, so that a client reads them by what it reads frames with. */
function historyPage({ channel, ref, events, own, complete, next, position }: HistoryPush): string {
  const times = events.map(({ atMs = 0 }) => atMs);
  const more = JSON.stringify({ times, own, complete, ...(next && { next }) });
  const data = `{"data":${merged(`{"events":[${events.map(encodeEvent).join()}]}`, more)}}`;
  return merged(
    JSON.stringify({ event: "history", channel, ...idOf(ref) }),
    data,
    JSON.stringify(positionOf({ position })),
  );
}

function withUser(frame: object, user: { id: string } & UserInfo): string {
  return merged(JSON.stringify(frame), `{"data":{"user":${memberJson(user)}}}`);
}

/** One object of several. */
function merged(...objects: readonly string[]): string {
  return `{${objects.flatMap((text) => (text === "{}" ? [] : text.slice(1, -1))).join()}}`;
}

function positionOf({ position }: { position?: Position | undefined }): { position?: Position } {
  return position ? { position: { epoch: position.epoch, offset: position.offset } } : {};
}

function welcome(push: Extract<Push, { type: "welcome" }>): string {
  const {
    connection: id,
    reconnectToken,
    activityTimeoutS,
    frameBytes: maxFrameBytes,
    limits,
    serverTimeMs,
    user,
  } = push;
  const bounds = { id, activityTimeoutS, maxFrameBytes, limits, serverTimeMs, features: FEATURES };
  const isUsual = push.session === undefined && reconnectToken === undefined;
  const data = JSON.stringify(isUsual ? bounds : { ...bounds, ...httpOf(push.session), reconnectToken });
  return `{"event":"welcome","data":${user ? merged(data, `{"user":${memberJson(user)}}`) : data}}`;
}

function httpOf(session: SessionInfo | undefined): Pick<WireWelcome, "session" | "http"> {
  if (!session) return {};
  const { id, ...http } = session;
  return { session: id, http };
}

function refusal({ error, command }: Extract<Push, { type: "refused" }>): ServerFrame {
  const about = aboutOf(command) ?? error.about ?? {};
  const place = about.channel === undefined ? {} : { channel: about.channel };
  const { message, retryAfterMs, ownCode: code = error.code } = error;
  const again = retryAfterMs === undefined ? {} : { retryAfterMs };
  return { event: "error", message, code, ...idOf(about.ref), ...place, ...again };
}

function aboutOf(command: Command | undefined): CommandReference | undefined {
  return command?.type === "pong" ? undefined : command;
}

function closing(why: Disconnect): CloseFrame {
  const { code, message, reconnect, afterMs } = why;
  const frame: ServerFrame = { event: "closing", code, message, reconnect, ...(afterMs !== undefined && { afterMs }) };
  return { frame: JSON.stringify(frame), code: CLOSE_CODES[code], reason: message.slice(0, 120) };
}

function idOf(ref: Ref | undefined): { id?: Ref } {
  return ref === undefined ? {} : { id: ref };
}

/** A WireMember. */
function memberJson(user: { id: string; state?: string } & UserInfo): string {
  const info = user.info === undefined || user.info === null ? "" : `,"info":${userInfoJson(user)}`;
  const state = user.state === undefined ? "" : `,"state":${user.state}`;
  return `{"id":${JSON.stringify(user.id)}${info}${state}}`;
}

/** What it does not say stays as it is. */
function updateJson(update: MemberUpdate): string {
  const info = update.info === undefined ? "" : `,"info":${userInfoJson(update)}`;
  const state = update.state === undefined ? "" : `,"state":${update.state ?? "null"}`;
  return `{"id":${JSON.stringify(update.id)}${info}${state}}`;
}
