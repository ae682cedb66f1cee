/** Publications and members as JSON between nodes, without app and channel. Checked when read: any client of the engine's server could have sent it. */

import { onOneLine } from "../../domain/json-text.ts";
import type { EventPublication, Member, MemberUpdate, Position, Publication } from "../../domain/message.ts";
import { parseUserInfo } from "../../domain/user-info.ts";

/** Far above any event; what is longer is not parsed. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/**
 * What the engine says of it by itself is left out: where it is published, and under which number. For JSON, which
 * leaves out what is undefined: an object without these keys takes longer to make.
 */
export function publicationFields(publication: Publication): object {
  return { ...publication, app: undefined, channel: undefined, position: undefined, messageId: undefined };
}

/** Throws where it is no JSON object, or too long. */
export function parseObject(text: string): Record<string, unknown> {
  if (text.length > MAX_CHARACTERS) throw new Error(`a message of ${text.length} characters`);
  return asRecord(JSON.parse(text));
}

/** Throws where it is no publication; unknown fields do not matter. App and channel come from elsewhere, so that no text can claim others. */
export function parsePublication(fields: Record<string, unknown>, app: string, channel: string): Publication {
  const about = { app, channel, ...(fields.except !== undefined && { except: asArray(fields.except).map(asString) }) };
  switch (fields.type) {
    case "event": {
      const { event, data, bare, from, trace, timed, key, position } = fields;
      return {
        type: "event",
        ...about,
        event: asString(event),
        data: asString(data),
        ...(bare === true && { bare: true }),
        ...(from !== undefined && { from: parseSender(asRecord(from)) }),
        ...(position !== undefined && { position: parsePosition(asArray(position)) }),
        ...(trace !== undefined && { trace: asString(trace) }),
        ...(timed !== undefined && { timed: parsePublishTime(asRecord(timed)) }),
        ...(key !== undefined && { key: asString(key) }),
      };
    }
    case "joined":
      return { type: "joined", ...about, member: parseMemberFields(fields.member) };
    case "left":
      return { type: "left", ...about, member: { id: asString(asRecord(fields.member).id) } };
    case "updated":
      return { type: "updated", ...about, member: parseMemberUpdate(asRecord(fields.member)) };
    case "count":
      return { type: "count", ...about, count: parseCount(fields.count) };
    case "online":
    case "offline":
      return { type: fields.type, ...about, user: asString(fields.user) };
    case "replaced":
      return { type: "replaced", ...about, user: asString(fields.user), connection: asString(fields.connection) };
    default:
      throw new Error("a publication of an unknown type");
  }
}

/** What is left of an event that was purged by itself. */
export function erasedEvent(app: string, channel: string, position: Position): EventPublication {
  return { type: "event", app, channel, event: "", data: "", position, erased: true };
}

export function parseMemberFields(value: unknown) {
  const { id, info, infoText, state } = asRecord(value);
  return parseMember(id, info, infoText, state);
}

export function parseCount(value: unknown): number {
  const count = asNumber(value);
  if (count < 0) throw new Error("not a count");
  return count;
}

function parseSender({ connection, user }: Record<string, unknown>) {
  return { connection: asString(connection), ...(user !== undefined && { user: asString(user) }) };
}

function parsePublishTime({ node, atMs }: Record<string, unknown>) {
  return { node: asNumber(node), atMs: asNumber(atMs) };
}

function parsePosition([epoch, offset]: readonly unknown[]): Position {
  return { epoch: asString(epoch), offset: parseCount(offset) };
}

/** A member's info comes as a value, or as text where its author wrote it otherwise; its state always as text. */
export function parseMember(id: unknown, info: unknown, infoText?: unknown, state?: unknown): Member {
  const said = infoText === undefined ? { info } : parseUserInfo(onOneLine(asString(infoText)));
  return { id: asString(id), ...said, ...(state !== undefined && { state: asJson(state) }) };
}

/** The same for what changes of one. */
function parseMemberUpdate({ id, info, infoText, state }: Record<string, unknown>): MemberUpdate {
  const { info: said, ...more } = parseMember(id, info, infoText, state ?? undefined);
  return { ...more, ...(said !== undefined && { info: said }), ...(state === null && { state }) };
}

/** JSON text, in one line. */
function asJson(value: unknown): string {
  const text = onOneLine(asString(value));
  JSON.parse(text);
  return text;
}

export function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
  return value as Record<string, unknown>;
}

export function asString(value: unknown): string {
  if (typeof value !== "string") throw new Error("not a string");
  return value;
}

export function asNumber(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error("not a number");
  return value;
}

export function asArray(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("not a list");
  return value;
}
