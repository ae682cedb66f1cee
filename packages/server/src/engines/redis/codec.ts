/** Publications as they travel between nodes: compact JSON, read with suspicion, because anybody may publish on a Redis. */

import type { Member, Position, Publication, PublishTime } from "../../domain/message.ts";
import type { MessageId } from "../../domain/message-id.ts";
import { asArray, asNumber, asRecord, asString, parseMember } from "../shared/parse.ts";

export interface DecodedPublication {
  readonly publication: Publication;
  readonly mark: MessageId | undefined;
}

/** Says of the format what a node has to understand to read it; it grows when an old node could no longer do so. */
const VERSION = 1;
/** Far above any event; what is longer is not parsed. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

export function encode(publication: Publication, mark?: MessageId): string {
  const { type, except } = publication;
  return JSON.stringify({
    v: VERSION,
    t: type,
    ...contents(publication),
    ...(except && { x: except }),
    ...(mark && { s: mark.sender, n: mark.number }),
  });
}

function contents(publication: Publication): object {
  switch (publication.type) {
    case "event": {
      const { event, data, bare, from, trace, timed, key } = publication;
      return {
        e: event,
        d: data,
        ...(bare && { b: 1 }),
        ...(from && { f: from.user === undefined ? [from.connection] : [from.connection, from.user] }),
        ...(trace !== undefined && { o: trace }),
        ...(timed && { w: [timed.node, timed.atMs] }),
        ...(key !== undefined && { k: key }),
      };
    }
    case "joined":
      return { m: memberFields(publication.member) };
    case "left":
      return { u: publication.member.id };
    case "count":
      return { c: publication.count };
    case "online":
    case "offline":
    case "terminate":
      return { u: publication.user };
  }
}

/** App and channel come from the subject, so no text can claim others. Throws where it is no publication; unknown fields do not matter. */
export function decode(app: string, channel: string, text: string): DecodedPublication {
  if (text.length > MOST_CHARACTERS) throw new Error(`a publication of ${text.length} characters`);
  const fields = asRecord(JSON.parse(text));
  if (fields.v !== VERSION) throw new Error("not a publication, or one of a later version");
  const except = fields.x === undefined ? undefined : texts(fields.x);
  const about = { app, channel, ...(except && { except }) };
  const mark = typeof fields.s === "string" && isCount(fields.n) ? { sender: fields.s, number: fields.n } : undefined;
  return { publication: publicationOf(fields, about), mark };
}

/** The same for what history has kept, which is the publication without its place. */
export function decodeHistoryEntry(app: string, channel: string, text: string, position: Position) {
  const { publication, mark } = decode(app, channel, text);
  return publication.type === "event" ? { ...publication, position, ...(mark && { mark }) } : undefined;
}

interface About {
  readonly app: string;
  readonly channel: string;
  readonly except?: readonly string[];
}

function publicationOf(fields: Record<string, unknown>, about: About): Publication {
  switch (fields.t) {
    case "event":
      return {
        type: "event",
        ...about,
        event: asString(fields.e),
        data: asString(fields.d),
        ...(fields.b === 1 && { bare: true }),
        ...(fields.f !== undefined && { from: senderOf(fields.f) }),
        ...(fields.p !== undefined && { position: positionOf(fields.p) }),
        ...(fields.o !== undefined && { trace: asString(fields.o) }),
        ...(fields.w !== undefined && { timed: timedOf(fields.w) }),
        ...(fields.k !== undefined && { key: asString(fields.k) }),
      };
    case "joined":
      return { type: "joined", ...about, member: memberOf(fields.m) };
    case "left":
      return { type: "left", ...about, member: { id: asString(fields.u) } };
    case "count":
      return { type: "count", ...about, count: count(fields.c) };
    case "online":
    case "offline":
    case "terminate":
      return { type: fields.t, ...about, user: asString(fields.u) };
    default:
      throw new Error("a publication of an unknown type");
  }
}

function senderOf(value: unknown) {
  const [connection, user] = texts(value);
  return { connection: asString(connection), ...(user !== undefined && { user }) };
}

function timedOf(value: unknown): PublishTime {
  const [node, atMs] = asArray(value);
  return { node: asNumber(node), atMs: asNumber(atMs) };
}

function positionOf(value: unknown): Position {
  const [epoch, offset] = Array.isArray(value) ? value : [];
  return { epoch: asString(epoch), offset: count(offset) };
}

function memberOf(value: unknown): Member {
  const [id, info, infoText] = Array.isArray(value) ? value : [];
  return parseMember(id, info, infoText);
}

/** A third one only where the text says more than the value. */
export function memberFields({ id, info, infoText }: Member): readonly unknown[] {
  return infoText === undefined ? [id, info ?? null] : [id, null, infoText];
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(asString) : [asString(value)];
}

function count(value: unknown): number {
  if (!isCount(value)) throw new Error("a publication with a wrong number in it");
  return value;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
