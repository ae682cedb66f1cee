/** What a call of the HTTP API brings along: its body, read within bounds, and what is in it. */

import type { z } from "zod";
import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { isDeeperThan } from "../json.ts";
import { ApiError } from "./responses.ts";

/** A call whose signature is right. */
export interface ApiCall {
  readonly app: App;
  readonly hub: Hub;
  readonly request: Request;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  readonly jsonDepth: number;
  readonly nodes: ((app: App, strategy: string | null) => Promise<object>) | undefined;
}

/** Throws ApiError where it is larger than that; then the rest of it is not read. */
export async function readBody(request: Request, most: number): Promise<Uint8Array> {
  const length = request.headers.get("content-length");
  if (Number(length) > most) throw bodyTooLarge(request, most);
  try {
    // Only where the length is not said: asking for `request.body` makes a stream of it, at twice the cost of the call.
    if (length === null && request.body) return await collect(request, request.body, most);
    return new Uint8Array(await request.arrayBuffer());
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new CommandError("malformed", "The body could not be read to its end.");
  }
}

/** A body that does not say how long it is may be endless. */
async function collect(request: Request, body: ReadableStream<Uint8Array>, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > most) throw bodyTooLarge(request, most);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function bodyTooLarge({ headers }: Request, most: number): ApiError {
  const length = headers.get("content-length");
  const bound = `The body is larger than ${most} bytes (limits.httpBodyBytes)`;
  return new ApiError(413, "data_too_large", length === null ? `${bound}.` : `${bound}: it has ${length}.`);
}

/** The body's value, and the text that it was parsed from. */
export function parseBody<T>({ body, jsonDepth }: ApiCall, schema: z.ZodType<T>): { value: T; text: string } {
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
  const parsed = schema.safeParse(json);
  if (parsed.success) return { value: parsed.data, text };
  const [issue] = parsed.error.issues;
  throw new CommandError(
    "data_invalid",
    `${issue?.path.join(".") || "The body"}: ${issue?.message ?? "is not valid"}.`,
  );
}

export function utf8(body: Uint8Array): string {
  try {
    return DECODER.decode(body);
  } catch {
    throw new CommandError("malformed", "The body is not UTF-8.");
  }
}

const DECODER = new TextDecoder("utf-8", { fatal: true });
