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
  if (typeof value !== "string") {
    const text = JSON.stringify(value);
    // Nothing is made of a function.
    if (text !== undefined) noteJson(text);
    return text;
  }
  return isJson(value) ? JSON.stringify(value) : value;
}

/**
 * The last text that was found to be JSON in one line, where it came in. In one process it goes out a moment later, and to see once more
 * what it is would take 0.15 µs, a fortieth of a client event.
 */
let knownJson = "";

/** The text is JSON in one line. */
export function noteJson(text: string): void {
  knownJson = text;
}

/** The JSON text of a payload, in one line: itself, or quoted. */
export function payloadJson(text: string): string {
  if (text === knownJson && text !== "") return text;
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
