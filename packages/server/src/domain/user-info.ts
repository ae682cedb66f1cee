/** What other members of a presence channel are shown of a user: a value for programs, its text where it is only passed on. */

import { onOneLine } from "./json-text.ts";

export interface UserInfo {
  /** Any JSON value. */
  readonly info?: unknown;
  /** The same as its author wrote it, where writing `info` would give another text: a number of 64 bits, `1.0`, spaces. */
  readonly infoText?: string;
}

/** `text` is JSON in one line. */
export function parseUserInfo(text: string | undefined): { readonly info: unknown; readonly infoText?: string } {
  if (text === undefined) return { info: null };
  const info: unknown = JSON.parse(text);
  return JSON.stringify(info) === text ? { info } : { info, infoText: text };
}

const LONGEST_NAME = 100;

/** What most apps call it. Undefined where it says none. */
export function nameIn(info: unknown): string | undefined {
  const name = typeof info === "object" && info !== null && "name" in info ? info.name : undefined;
  return typeof name === "string" && name !== "" ? name.slice(0, LONGEST_NAME) : undefined;
}

/** As JSON, in one line. */
export function userInfoJson({ info, infoText }: UserInfo): string {
  return infoText ?? JSON.stringify(info) ?? "null";
}

/** The same of one that a program may have had in its hands: where text and value are not the same, the value counts. */
export function consistentUserInfo({ info, infoText }: UserInfo): ReturnType<typeof parseUserInfo> {
  const value = info ?? null;
  if (infoText === undefined) return { info: value };
  try {
    const text = onOneLine(infoText);
    if (JSON.stringify(JSON.parse(text)) === JSON.stringify(value)) return { info: value, infoText: text };
  } catch {
    // No JSON at all.
  }
  return { info: value };
}
