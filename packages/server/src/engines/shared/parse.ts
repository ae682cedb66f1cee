/** Reads fields that other programs may have written. Each throws where a field is not what it has to be. */

import { onOneLine } from "../../domain/json-text.ts";
import type { Member } from "../../domain/message.ts";
import { parseUserInfo } from "../../domain/user-info.ts";

/** A member's info comes as a value, or as text where its author wrote it otherwise. */
export function parseMember(id: unknown, info: unknown, infoText: unknown): Member {
  return { id: asString(id), ...(infoText === undefined ? { info } : parseUserInfo(onOneLine(asString(infoText)))) };
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
