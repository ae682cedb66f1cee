/** JSON as the protocols take it from strangers: bounded in depth, text only, keys that cannot reach a prototype. */

import { CommandError } from "../domain/error.ts";
import { isDeeperThan } from "../domain/json-text.ts";
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
