/** How frames are written into a response: the lines of SockJS, one JSON object a line, server-sent events, or those of one reader of channels. */

import { createHash } from "node:crypto";
import type { Position } from "../../domain/message.ts";
import { type EventHead, splitEventFrame } from "../../protocols/native/event-stream.ts";
import type { Cors } from "./deliver.ts";
import type { CloseReason } from "./http-socket.ts";
import { markIn } from "./tickets.ts";

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
  /** The body of a poll's answer, where that is more than its text. `position` is the number of its last frame. */
  poll?(text: string, position: number): string;
}

/** No proxy stores or buffers it. */
const STREAMED = { "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
const EVENT_STREAM_HEADERS = { "Content-Type": "text/event-stream; charset=UTF-8", ...STREAMED };

/** pusher-js hangs up on a response that is longer, and comes again: what was under way would be lost. It counts as this does. */
const PUSHER_ROTATION_UNITS = 262_144;

/** `Content-Type: text/plain` would have browsers wait for the first KiB. pusher-js passes over a line that begins with a space. */
const sockJs = {
  headers: { "Content-Type": "application/javascript; charset=UTF-8", ...STREAMED },
  isResumable: false,
  rotationUnits: PUSHER_ROTATION_UNITS,
  frames: (frames: readonly string[]) => frames.join(""),
  close: ({ code, reason }: CloseReason) => `c${JSON.stringify([code, reason])}\n`,
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
};

/** `prefix` comes before the number in `id`, which an EventSource repeats when it comes again. */
export function serverSentEvents(prefix: string): Framing {
  return {
    ...resumable,
    headers: EVENT_STREAM_HEADERS,
    keepAlive: ":\n\n",
    first: () => "retry: 1000\n\n",
    frames: (frames, from) => frames.map((frame, at) => `id: ${prefix}${from + at}\ndata: ${frame}\n\n`).join(""),
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

/** How long a browser waits before it comes again, at first. */
const RETRY_MS = 2_000;
/** Longer ones are none of ours. */
const ID_LENGTH = 8_192;
const PLACE = /^([0-9a-f]{8})(?:\.([^.]{1,192})\.(\d{1,15}))?$/;

/** Positions by channel; undefined where there is none to go on from. */
export type Positions = Map<string, Position | undefined>;

/** Of these channels, as far as the id speaks of them. */
export function positionsIn(id: string, channels: readonly string[]): Positions {
  const byDigest = new Map(channels.map((channel) => [digestOf(channel), channel]));
  const positions: Positions = new Map();
  if (id.length > ID_LENGTH) return positions;
  for (const place of id.split("_")) {
    const [, digest = "", epoch, offset] = PLACE.exec(place) ?? [];
    const channel = byDigest.get(digest);
    if (channel === undefined) continue;
    positions.set(channel, epoch === undefined ? undefined : positionOf(epoch, Number(offset)));
  }
  return positions;
}

function positionOf(epoch: string, offset: number): Position | undefined {
  try {
    return { epoch: decodeURIComponent(epoch), offset };
  } catch {
    return undefined;
  }
}

/** By which one that was opened by a ticket is known when it comes again. */
export function placeOfMark(mark: string): string {
  return `t.${mark}`;
}

export function markInId(id: string): string | undefined {
  return markIn(/(?:^|_)t\.([^_]*)$/.exec(id)?.[1]);
}

/** In another time, when many are told to come again at once. */
function retryMs(afterMs: number | undefined): number {
  return Math.round(afterMs ?? RETRY_MS / 2 + Math.random() * 2 * RETRY_MS);
}

/** Why a reader was not let in, where that passes. */
export interface PassingRefusal {
  readonly code: string;
  readonly message: string;
  readonly afterMs: number | undefined;
}

/** How a stream says that it ends, in the words of its kind. */
export type Closing = (told: { readonly code: string; readonly message: string; readonly reconnect: string }) => string;
export const closingFrame: Closing = (told) => `data: ${JSON.stringify({ event: "closing", ...told })}`;
export const closingEvent: Closing = (told) => `event: fanfare:closing\ndata: ${JSON.stringify(told)}`;

/** An EventSource gives up after any status but 200: what passes is told in a stream. `id` is the line by which it comes again. */
export async function forEventSource(response: Response, closing: Closing, cors: Cors, id = ""): Promise<Response> {
  const passing = await passingRefusal(response);
  return passing ? closingStream(passing, closing, cors, id) : withHeaders(response, cors);
}

export function closingStream(
  { code, message, afterMs }: PassingRefusal,
  closing: Closing,
  cors: Cors,
  id: string,
): Response {
  const text = `retry: ${retryMs(afterMs)}\n${id}${closing({ code, message, reconnect: "later" })}\n\n`;
  return new Response(text, { headers: { ...EVENT_STREAM_HEADERS, ...cors } });
}

export function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** Undefined where it is final, or no refusal. */
async function passingRefusal(response: Response): Promise<PassingRefusal | undefined> {
  if (response.status !== 429 && response.status < 500) return undefined;
  const seconds = Number(response.headers.get("retry-after"));
  const told: unknown = await response.json().catch(() => undefined);
  const { code, error } = (told ?? {}) as { readonly code?: unknown; readonly error?: unknown };
  const afterMs = seconds > 0 ? retryMs(undefined) + seconds * 1000 : undefined;
  return { code: String(code ?? "reconnect_later"), message: String(error ?? "Come again later."), afterMs };
}

/** One-way server-sent events for one reader: how far it is in all of its channels, as the `id` by which it comes again. */
export class EventFraming implements Framing {
  readonly headers = EVENT_STREAM_HEADERS;
  readonly isResumable = false;
  readonly rotationUnits = Number.POSITIVE_INFINITY;
  readonly keepAlive = ":\n\n";
  readonly #digests: ReadonlyMap<string, string>;
  readonly #positions: Positions;
  readonly #mark: string | undefined;
  #farewell: EventHead | undefined;

  constructor(channels: readonly string[], positions: Positions, mark: string | undefined) {
    this.#mark = mark;
    this.#digests = new Map(channels.map((channel) => [channel, digestOf(channel)]));
    this.#positions = positions;
  }

  first(): string {
    // By it an EventSource may come again before it has read any event.
    const id = this.#mark === undefined ? "" : `id: ${this.#id}\n`;
    return `retry: ${RETRY_MS}\n${id}\n`;
  }

  frames(frames: readonly string[]): string {
    return frames.map((frame) => this.#written(frame)).join("");
  }

  close(): string {
    if (!this.#farewell || this.#farewell.reconnect === "never") return "";
    return `retry: ${retryMs(this.#farewell.afterMs)}\n\n`;
  }

  #written(frame: string): string {
    const { head, text } = splitEventFrame(frame);
    const { kind, channel, position } = head;
    if (kind === "closing") this.#farewell = head;
    const moves = channel !== undefined && this.#digests.has(channel) && (kind === "subscribed" || position);
    if (!moves) return `${text}\n`;
    this.#positions.set(channel, position);
    return `${text}id: ${this.#id}\n\n`;
  }

  get #id(): string {
    const places: string[] = [];
    for (const [channel, digest] of this.#digests) {
      if (!this.#positions.has(channel)) continue;
      const position = this.#positions.get(channel);
      places.push(position ? `${digest}.${encodeEpoch(position.epoch)}.${position.offset}` : digest);
    }
    if (this.#mark !== undefined) places.push(placeOfMark(this.#mark));
    return places.join("_");
  }
}

function encodeEpoch(epoch: string): string {
  return encodeURIComponent(epoch).replaceAll("_", "%5F").replaceAll(".", "%2E");
}

/** A channel's name may be long, and its place in a list may change. */
function digestOf(channel: string): string {
  return createHash("sha256").update(channel).digest("hex").slice(0, 8);
}
