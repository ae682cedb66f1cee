/** JSON as the protocols take it from strangers: bounded in depth, text only, keys that cannot reach a prototype. */

import { CommandError } from "../domain/error.ts";
import type { Frame } from "../domain/transport.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses a frame into an object without a prototype's reach. Throws CommandError `malformed`. */
export function parseFrame(frame: Frame, maxDepth: number): JsonObject {
  if (typeof frame !== "string")
    throw new CommandError("malformed", "Binary frames are not supported; send JSON text.");
  if (isDeeperThan(frame, maxDepth)) {
    throw new CommandError("malformed", `The JSON is nested more than ${maxDepth} levels deep (limits.jsonDepth).`);
  }
  const value = parse(frame);
  if (!isObject(value)) throw new CommandError("malformed", "A message is a JSON object.");
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError("malformed", "The message is not JSON.");
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object's own member: `__proto__` and what a prototype has do not count. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Whether brackets nest deeper than that, strings aside. Short texts cannot, and are not looked at. */
export function isDeeperThan(text: string, most: number): boolean {
  if (text.length <= most) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) {
      if (++depth > most) return true;
    } else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
