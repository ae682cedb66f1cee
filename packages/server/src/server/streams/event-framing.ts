/** One-way server-sent events for one reader: how far it is in all of its channels, as the `id` by which it comes again. */

import { createHash } from "node:crypto";
import type { Position } from "../../domain/message.ts";
import { type EventHead, splitEventFrame } from "../../protocols/native/event-stream.ts";
import { type Framing, STREAMED } from "./framing.ts";
import { markIn } from "./tickets.ts";

export const EVENT_STREAM_HEADERS = { "Content-Type": "text/event-stream; charset=UTF-8", ...STREAMED };

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
export function retryMs(afterMs: number | undefined): number {
  return Math.round(afterMs ?? RETRY_MS / 2 + Math.random() * 2 * RETRY_MS);
}

/** Why a reader was not let in, where that passes: an EventSource gives up after any status but 200, and so is told in a stream. */
export interface PassingRefusal {
  readonly code: string;
  readonly message: string;
  readonly afterMs: number | undefined;
}

/** Undefined where it is final, or no refusal. */
export async function passingRefusal(response: Response): Promise<PassingRefusal | undefined> {
  if (response.status !== 429 && response.status < 500) return undefined;
  const seconds = Number(response.headers.get("retry-after"));
  const told: unknown = await response.json().catch(() => undefined);
  const { code, error } = (told ?? {}) as { readonly code?: unknown; readonly error?: unknown };
  const afterMs = seconds > 0 ? retryMs(undefined) + seconds * 1000 : undefined;
  return { code: String(code ?? "reconnect_later"), message: String(error ?? "Come again later."), afterMs };
}

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

  poll(text: string): string {
    return text;
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
