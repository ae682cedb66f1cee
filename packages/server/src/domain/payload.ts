/**
 * A payload is text with one rule: what parses as JSON is that value, anything else is the string itself. So every value
 * has a spelling that Pusher clients, which get the text, and native clients, which get the value, agree on.
 */

import { onOneLine } from "./json-text.ts";

/** What an event without data carries: Pusher clients have to find something there. */
const NOTHING = "{}";

/** The text for what came as a JSON text that was parsed to this value. */
export function payloadFrom(value: unknown, text: string | undefined): string {
  return typeof value === "string" || text === undefined ? payloadOf(value) : text;
}

/** The text for a value. A string that happens to look like JSON is quoted, so that it stays a string. */
export function payloadOf(value: unknown): string {
  if (value === undefined) return NOTHING;
  if (typeof value !== "string") return JSON.stringify(value);
  return isJson(value) ? JSON.stringify(value) : value;
}

/** The JSON text of a payload, in one line: itself, or quoted. */
export function payloadJson(text: string): string {
  return isJson(text) ? onOneLine(text) : JSON.stringify(text);
}

/** The value of a payload. */
export function payloadValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isJson(text: string): boolean {
  // Most strings that are not JSON show it in their first character; parsing decides the rest.
  if (!JSON_START.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const JSON_START = /^[\s]*["{[\-0-9tfn]/;
