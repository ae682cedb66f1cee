/** How frames are written into a response: the lines of SockJS, one JSON object a line, or server-sent events. */

import type { CloseReason } from "./http-socket.ts";

export interface Framing {
  readonly headers: Readonly<Record<string, string>>;
  /** Whether a client that was cut off comes back for what it missed. Any other that hangs up is gone. */
  readonly isResumable: boolean;
  /** Behind the frame that takes a response above so many UTF-16 code units nothing more is written to it. */
  readonly rotationUnits: number;
  /** An answer that may be asked for again, and so is no longer than what is kept. */
  readonly isOneBatch?: true;
  readonly keepAlive: string;
  /** What a response begins with. */
  first(isFirst: boolean): string;
  /** Several, the first of which has that number. */
  frames(frames: readonly string[], from: number): string;
  close(reason: CloseReason): string;
  /** The body of a poll's answer. `position` is the number of its last frame. */
  poll(text: string, position: number): string;
}

/** No proxy stores or buffers it. */
export const STREAMED = { "Cache-Control": "no-store", "X-Accel-Buffering": "no" };

/** pusher-js hangs up on a response that is longer, and comes again: what was under way would be lost. It counts as this does. */
const PUSHER_ROTATION_UNITS = 262_144;

/** `Content-Type: text/plain` would have browsers wait for the first KiB. pusher-js passes over a line that begins with a space. */
const sockJs = {
  headers: { "Content-Type": "application/javascript; charset=UTF-8", ...STREAMED },
  isResumable: false,
  rotationUnits: PUSHER_ROTATION_UNITS,
  frames: (frames: readonly string[]) => frames.join(""),
  close: ({ code, reason }: CloseReason) => `c${JSON.stringify([code, reason])}\n`,
  poll: (text: string) => text,
};

/** As the client's first request and its later ones read: only an `o` of a session that is open already would end it. */
export const sockJsStream: Framing = { ...sockJs, keepAlive: " \n", first: (isFirst) => (isFirst ? "o{}\n" : " \n") };
export const sockJsPoll: Framing = { ...sockJs, keepAlive: "h\n", first: (isFirst) => (isFirst ? "o{}\n" : "") };

/** Whose client comes to another host from now on, by the same scheme and port. */
export function movedTo(hostname: string | undefined, framing: Framing): Framing {
  if (hostname === undefined) return framing;
  const opening = `o${JSON.stringify({ hostname })}\n`;
  return { ...framing, first: (isFirst) => (isFirst ? opening : framing.first(false)) };
}

const resumable = { isResumable: true, rotationUnits: Number.POSITIVE_INFINITY, close: () => "" };

export const ndjson: Framing = {
  ...resumable,
  headers: { "Content-Type": "application/x-ndjson; charset=UTF-8", ...STREAMED },
  keepAlive: "\n",
  first: () => "\n",
  frames: (frames) => `${frames.join("\n")}\n`,
  poll: (text) => text,
};

/** `prefix` comes before the number in `id`, which an EventSource repeats when it comes again. */
export function serverSentEvents(prefix: string): Framing {
  return {
    ...resumable,
    headers: { "Content-Type": "text/event-stream; charset=UTF-8", ...STREAMED },
    keepAlive: ":\n\n",
    first: () => "retry: 1000\n\n",
    frames: (frames, from) => frames.map((frame, at) => `id: ${prefix}${from + at}\ndata: ${frame}\n\n`).join(""),
    poll: (text) => text,
  };
}

/** An object with the frames, and the number of the last one. */
export function jsonPoll(session: string): Framing {
  return {
    ...resumable,
    isOneBatch: true,
    headers: { "Content-Type": "application/json; charset=UTF-8", "Cache-Control": "no-store" },
    keepAlive: "",
    first: () => "",
    frames: (frames) => frames.map((frame) => `${frame},`).join(""),
    poll: (text, position) =>
      `{"session":${JSON.stringify(session)},"seq":${position},"frames":[${text.slice(0, -1)}]}`,
  };
}
