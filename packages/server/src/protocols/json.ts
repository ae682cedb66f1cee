/** JSON as the protocols take it from strangers: bounded in depth, text only, keys that cannot reach a prototype. */

import { CommandError } from "../domain/error.ts";
import { isDeeperThan, onOneLine } from "../domain/json-text.ts";
import { noteJson } from "../domain/payload.ts";
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

/** The JSON that stands there in one line, with nothing around it; undefined where it is a string, too deep, or none. */
export function jsonIn(frame: string, from: number, end: number, maxDepth: number): string | undefined {
  const first = frame.charCodeAt(from);
  if (end <= from || first === QUOTE || first <= SPACE || frame.charCodeAt(end - 1) <= SPACE) return undefined;
  const text = frame.slice(from, end);
  if (isDeeperThan(text, maxDepth)) return undefined;
  if (text.length < SHORT && PLAIN_OBJECT.test(text)) {
    noteJson(text);
    return text;
  }
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const line = onOneLine(text);
  noteJson(line);
  return line;
}

/**
 * What the data of most client events are, in one line: an object of strings without an escape, of numbers and words. To see that in
 * place of parsing it and looking for line ends takes some 50 ns off an event. What is not of that kind may be JSON all the same.
 */
const PLAIN_STRING = String.raw`"[^"\\\u0000-\u001f]*"`;
const PLAIN_MEMBER = String.raw`${PLAIN_STRING}:(?:${PLAIN_STRING}|-?(?:0|[1-9]\d*)(?:\.\d+)?|true|false|null)`;
const PLAIN_OBJECT = new RegExp(String.raw`^\{${PLAIN_MEMBER}(?:,${PLAIN_MEMBER})*\}$`);
/** In a longer text JSON.parse is as fast. */
const SHORT = 128;

/** Where a string that is written without an escape ends, which begins at `from`; -1 where it is not of that kind. */
export function plainEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code < SPACE || code === BACKSLASH) return -1;
  }
  return -1;
}

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

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
