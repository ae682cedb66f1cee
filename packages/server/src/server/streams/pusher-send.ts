/** The body of `xhr_send`: what a client of Pusher's HTTP transports says, several frames at a time. */

import { HttpError } from "../../http/error-response.ts";
import { readFrames, tooLarge } from "./commands.ts";

/** Throws HttpError. */
export async function readSend(request: Request, frameBytes: number): Promise<readonly string[]> {
  const frames = parse(await readFrames(request, frameBytes));
  if (!Array.isArray(frames) || !frames.every((frame) => typeof frame === "string")) {
    throw new HttpError(400, "malformed", "The body is not a JSON array of strings.");
  }
  for (const frame of frames) if (Buffer.byteLength(frame) > frameBytes) throw tooLarge(frameBytes);
  return frames;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
