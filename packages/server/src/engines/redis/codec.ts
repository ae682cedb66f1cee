/** Publications as they travel through Redis: with the number that their sender gave them, so that none is received twice. */

import type { Member, Position, Publication } from "../../domain/message.ts";
import type { MessageId } from "../../domain/message-id.ts";
import { parseObject, parsePublication, publicationFields } from "../shared/publication-codec.ts";

export interface DecodedPublication {
  readonly publication: Publication;
  readonly messageId: MessageId | undefined;
}

/** Of the format; it grows when an older node could no longer read what a newer one writes. */
const VERSION = 2;

/** The script that keeps a publication adds its position. */
export function encode(publication: Publication, { sender, number }: MessageId): string {
  return JSON.stringify({ v: VERSION, ...publicationFields(publication), sender, number });
}

/** Throws where it is no publication. */
export function decode(app: string, channel: string, text: string): DecodedPublication {
  const fields = parseObject(text);
  if (fields.v !== VERSION) throw new Error("not a publication, or one of a later version");
  const { sender, number } = fields;
  const messageId =
    typeof sender === "string" && Number.isSafeInteger(number) ? { sender, number: Number(number) } : undefined;
  return { publication: parsePublication(fields, app, channel), messageId };
}

/** The same for what history has kept, which is the publication without its position. */
export function decodeHistoryEntry(app: string, channel: string, text: string, position: Position) {
  const { publication, messageId } = decode(app, channel, text);
  return publication.type === "event" ? { ...publication, position, ...(messageId && { messageId }) } : undefined;
}

/** A member as Redis keeps it, besides its state; the third field only where the text says more than the value. */
export function memberFields({ id, info, infoText }: Pick<Member, "id" | "info" | "infoText">): readonly unknown[] {
  return infoText === undefined ? [id, info ?? null] : [id, null, infoText];
}
