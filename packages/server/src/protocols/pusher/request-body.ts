/** A call of the HTTP API, and what is in its body. */

import type * as z from "zod/mini";
import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { ApiCaller } from "../../domain/hub-event.ts";
import { isDeeperThan } from "../../domain/json-text.ts";
import { readShape } from "../../http/body.ts";
import type { Hub } from "../../hub/hub.ts";

/** A call whose signature is right. */
export interface ApiCall {
  readonly app: App;
  readonly hub: Hub;
  readonly request: Request;
  readonly caller: ApiCaller;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  readonly jsonDepth: number;
  readonly nodes: ((app: App, strategy: string | null) => Promise<object>) | undefined;
}

/**
 * The body's value, and the text that it was parsed from. `isPlain` recognizes what is right without the schema, which takes a twentieth
 * of a trigger's whole time; everything else is for the schema to judge.
 */
export function parseBody<T>(
  { body, jsonDepth }: ApiCall,
  schema: z.ZodMiniType<T>,
  isPlain: (json: unknown) => json is T = isNeverPlain,
): { value: T; text: string } {
  const text = utf8(body);
  if (isDeeperThan(text, jsonDepth)) {
    throw new CommandError("malformed", `The JSON is nested more than ${jsonDepth} levels deep (limits.jsonDepth).`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new CommandError("malformed", "The body is not JSON.");
  }
  if (isPlain(json)) return { value: json, text };
  const read = readShape(schema, json);
  if ("data" in read) return { value: read.data, text };
  throw new CommandError("data_invalid", `${read.where || "The body"}: ${read.problem}.`);
}

function isNeverPlain(_json: unknown): _json is never {
  return false;
}

export function utf8(body: Uint8Array): string {
  try {
    return DECODER.decode(body);
  } catch {
    throw new CommandError("malformed", "The body is not UTF-8.");
  }
}

const DECODER = new TextDecoder("utf-8", { fatal: true });
