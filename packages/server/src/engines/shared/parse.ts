/** Reads fields that other programs may have written. Each throws where a field is not what it has to be. */

import { onOneLine } from "../../domain/json-text.ts";
import type { Member, MemberUpdate } from "../../domain/message.ts";
import { parseUserInfo } from "../../domain/user-info.ts";

/** A member's info comes as a value, or as text where its author wrote it otherwise; its state always as text. */
export function parseMember(id: unknown, info: unknown, infoText?: unknown, state?: unknown): Member {
  const said = infoText === undefined ? { info } : parseUserInfo(onOneLine(asString(infoText)));
  return { id: asString(id), ...said, ...(state !== undefined && { state: asJson(state) }) };
}

/** The same for what changes of one. */
export function parseMemberUpdate({ id, info, infoText, state }: Record<string, unknown>): MemberUpdate {
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
