/** The Pusher Channels protocol, version 7: frames to commands, pushes to frames. `data` goes out as a JSON string. */

import { CommandError, type CommandErrorCode, type Disconnect } from "../../domain/error.ts";
import { memberText } from "../../domain/json-text.ts";
import type {
  ChannelProof,
  CloseFrame,
  Command,
  EventPublication,
  Member,
  MemberUpdate,
  Push,
  ResumeOptions,
} from "../../domain/message.ts";
import { payloadFrom } from "../../domain/payload.ts";
import type { Frame, Protocol } from "../../domain/transport.ts";
import { userInfoJson } from "../../domain/user-info.ts";
import { COMMAND_STATUS } from "../../http/error-response.ts";
import { CLOSE_CODES } from "../close-codes.ts";
import { isObject, type JsonObject, own, parseFrame } from "../json.ts";
import { decodePlainEvent } from "./plain-event.ts";

type ReadResumeOptions = (data: JsonObject, channel: string) => ResumeOptions;

const NOTHING: ResumeOptions = {};
const noResumeOptions: ReadResumeOptions = () => NOTHING;

export function pusherProtocol(options: { readonly jsonDepth: number }): Protocol {
  return {
    name: "pusher",
    joinsUserChannel: true,
    asksForUserChannel: true,
    acceptsTokens: false,
    decode: (frame) => decode(frame, options.jsonDepth, noResumeOptions),
    encode,
    encodeClose: (why) => encodeDisconnect(why, {}),
    reservesEvent: (event) => event.startsWith("pusher:") || event.startsWith("pusher_internal:"),
  };
}

/** `resumeOptions` reads what a subscription says of the past: nothing, unless the client said when it connected that it will. */
export function decode(frame: Frame, jsonDepth: number, resumeOptions: ReadResumeOptions): Command {
  const plain = decodePlainEvent(frame, jsonDepth);
  if (plain) return plain;
  const message = parseFrame(frame, jsonDepth);
  const event = own(message, "event");
  if (typeof event !== "string") throw new CommandError("malformed", "A message needs an event, which is a string.");
  if (event.startsWith("client-")) return decodeClientEvent(message, event, String(frame));
  switch (event) {
    case "pusher:subscribe":
      return decodeSubscribe(dataOf(message, jsonDepth), resumeOptions);
    case "pusher:unsubscribe":
      return { type: "unsubscribe", channel: textOf(dataOf(message, jsonDepth), "channel") };
    case "pusher:signin":
      return decodeSignIn(dataOf(message, jsonDepth));
    case "pusher:ping":
      return { type: "ping" };
    case "pusher:pong":
      return { type: "pong" };
  }
  if (event.startsWith("pusher_internal:")) {
    throw new CommandError("event_reserved", "Events that begin with pusher_internal: come from the server only.");
  }
  throw new CommandError(
    "unknown_command",
    `Unknown event ${quoted(event)}: a client's own events begin with client-.`,
  );
}

function decodeSubscribe(data: JsonObject, resumeOptions: ReadResumeOptions): Command {
  const channel = textOf(data, "channel");
  const auth = optionalTextOf(data, "auth");
  const more = resumeOptions(data, channel);
  // pusher-js sends an empty auth with public channels.
  if (!auth) return more === NOTHING ? { type: "subscribe", channel } : { type: "subscribe", channel, ...more };
  const channelData = optionalTextOf(data, "channel_data");
  const proof: ChannelProof = channelData === undefined ? { auth } : { auth, data: channelData };
  return { type: "subscribe", channel, proof, ...more };
}

function decodeSignIn(data: JsonObject): Command {
  return {
    type: "signin",
    by: { type: "signature", auth: textOf(data, "auth"), userData: textOf(data, "user_data") },
  };
}

function decodeClientEvent(message: JsonObject, event: string, frame: string): Command {
  const data = own(message, "data");
  const text = typeof data === "string" ? data : payloadFrom(data, memberText(frame, "data"));
  return { type: "publish", channel: textOf(message, "channel"), event, data: text };
}

/** The data of a command: an object, or the JSON text of one as older clients send it. */
function dataOf(message: JsonObject, jsonDepth: number): JsonObject {
  const data = own(message, "data");
  if (isObject(data)) return data;
  if (typeof data === "string") return parseFrame(data, jsonDepth);
  throw new CommandError("malformed", "The message needs data, which is an object.");
}

function textOf(data: JsonObject, key: string): string {
  const value = own(data, key);
  if (typeof value === "string") return value;
  throw new CommandError("malformed", `The message needs ${key}, which is a string.`);
}

function optionalTextOf(data: JsonObject, key: string): string | undefined {
  const value = own(data, key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new CommandError("malformed", `The message's ${key} is not a string.`);
}

function encode(push: Push): string | undefined {
  switch (push.type) {
    case "event":
      return encodeEvent(push);
    case "notice":
      return `{"event":${quoted(push.event)},"data":${quoted(push.data)}}`;
    case "welcome":
      return encodeWelcome(push.connection, Math.ceil(push.activityTimeoutS));
    case "subscribed":
      return withText("pusher_internal:subscription_succeeded", push.channel, presenceOf(push.members));
    case "joined":
      return withText("pusher_internal:member_added", push.channel, addedOf(push.member));
    case "updated":
      return encodeUpdate(push.channel, push.member);
    case "left":
      return inChannel("pusher_internal:member_removed", push.channel, { user_id: push.member.id });
    case "count":
      return inChannel("pusher_internal:subscription_count", push.channel, { subscription_count: push.count });
    case "missed":
      return inChannel("pusher:cache_miss", push.channel, {});
    case "signed-in":
      return frame("pusher:signin_success", { user_data: push.userData });
    case "watch":
      return frame("pusher_internal:watchlist_events", { events: watchEvents(push.online, push.offline) });
    case "refused":
      return encodeRefusal(push);
    case "ping":
      return '{"event":"pusher:ping","data":"{}"}';
    case "pong":
      return '{"event":"pusher:pong","data":"{}"}';
    case "unsubscribed":
      return push.by && inChannel("pusher:subscription_error", push.channel, removalOf(push.by));
    case "published":
    case "presence":
    case "gap":
    case "result":
    case "history":
    case "expiring":
      return undefined;
  }
}

/** Written as it is, with the quotes of JSON in JSON: an id is digits and a dot, so that nothing in it has to be escaped. */
function encodeWelcome(id: string, activityTimeoutS: number): string {
  return `{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"${id}\\",\\"activity_timeout\\":${activityTimeoutS}}"}`;
}

/** The hot one: every delivery is this string. Written at once it takes 0.12 µs, put together of its parts twice that. */
function encodeEvent({ event, channel, data, from }: EventPublication): string {
  // Only in presence channels, and there always the authenticated one.
  if (from?.user === undefined || !channel.startsWith("presence-")) return JSON.stringify({ event, channel, data });
  return JSON.stringify({ event, channel, data, user_id: from.user });
}

/** JSON put together by hand, so that a member's info stays as it was written. */
function presenceOf(members: readonly Member[] | undefined): string {
  if (!members) return "{}";
  const ids = JSON.stringify(members.map(({ id }) => id));
  const hash = members.map((member) => `${quoted(member.id)}:${userInfoJson(member)}`).join();
  return `{"presence":{"count":${members.length},"ids":${ids},"hash":{${hash}}}}`;
}

function addedOf(member: Member): string {
  return `{"user_id":${quoted(member.id)},"user_info":${userInfoJson(member)}}`;
}

/** The protocol has no word for it: an event as any other, which only the server can publish. */
function encodeUpdate(channel: string, update: MemberUpdate): string {
  const info = update.info === undefined ? "" : `,"user_info":${userInfoJson(update)}`;
  const state = update.state === undefined ? "" : `,"state":${update.state ?? "null"}`;
  const id = quoted(update.id);
  const data = quoted(`{"user_id":${id}${info}${state}}`);
  return `{"event":"fanfare:member_updated","channel":${quoted(channel)},"data":${data},"user_id":${id}}`;
}

function watchEvents(online: readonly string[], offline: readonly string[]): unknown[] {
  const events = [
    { name: "online", user_ids: online },
    { name: "offline", user_ids: offline },
  ];
  return events.filter(({ user_ids }) => user_ids.length > 0);
}

/** Refusals that have a number; every other is sent with the code null, and the connection goes on. */
const ERROR_CODES: Partial<Record<CommandErrorCode, number>> = {
  rate_limited: 4301,
  too_many_watched: 4302,
};

/** A refused subscription has an event of its own; for the rest, `data` is an object, which some clients insist on. */
function encodeRefusal({ error, command }: Extract<Push, { type: "refused" }>): string {
  if (command?.type === "subscribe" && error.code !== "already_subscribed") {
    const type = COMMAND_STATUS[error.code] === 401 ? "AuthError" : "SubscriptionError";
    const data = { type, error: error.message, status: COMMAND_STATUS[error.code], code: error.ownCode ?? error.code };
    return inChannel("pusher:subscription_error", command.channel, data);
  }
  const code = command?.type === "signin" && !(error.code in ERROR_CODES) ? 4009 : (ERROR_CODES[error.code] ?? null);
  return errorFrame(error.message, code);
}

/** The protocol has no word for it: clients hear of a subscription that went wrong. */
function removalOf({ code, message }: { readonly code: string; readonly message: string }): object {
  return { type: "SubscriptionError", error: message, status: 403, code };
}

/** `more` are further members of the frame's data. */
export function encodeDisconnect(why: Disconnect, more: Readonly<Record<string, unknown>>): CloseFrame {
  const code = CLOSE_CODES[why.code];
  return { frame: errorFrame(why.message, code, more), code, reason: why.message.slice(0, 120) };
}

function errorFrame(message: string, code: number | null, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ event: "pusher:error", data: { code, message, ...more } });
}

function frame(event: string, data: unknown): string {
  return `{"event":${quoted(event)},"data":${quoted(JSON.stringify(data))}}`;
}

function inChannel(event: string, channel: string, data: unknown): string {
  return withText(event, channel, JSON.stringify(data));
}

function withText(event: string, channel: string, data: string): string {
  return JSON.stringify({ event, channel, data });
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
