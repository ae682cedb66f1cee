/** Publishes a model's answer while it is written: its parts, gathered to few events that readers can put together again. */

import { invalid, PublisherError } from "./errors.ts";
import { firstOf } from "./time.ts";

/** The data of each event of a stream. `seq` counts from 0 without a gap; a reader that misses one has lost something. */
export type StreamEvent = { readonly id: string; readonly seq: number } & (
  | {
      /** The first event, and again every 10 s in which the model is silent: the publisher is alive. */
      readonly type: "start";
    }
  | {
      readonly type: "delta";
      /** The parts that are text, joined. */
      readonly text: string;
    }
  | {
      readonly type: "delta";
      /** The parts that are not text, in order. */
      readonly parts: readonly unknown[];
    }
  | {
      /** `end`: the answer is whole. `error`: its source failed. `aborted`: the signal was aborted. Nothing follows. */
      readonly type: "end" | "error" | "aborted";
    }
);

export interface StreamOptions<P = unknown, E extends string = string> {
  /** Names the stream, for its readers and for retries: 1 to 100 characters, another one for each run. Default: a random UUID. */
  readonly id?: string;
  /** The name of its events. Default `"stream"`. */
  readonly event?: E;
  /** How long parts are gathered, in milliseconds, unless they come to 6 KB before. Default 40, at most 10 000. */
  readonly flushMs?: number;
  /**
   * Stops the stream: the event that is being sent is finished, what was gathered and an `aborted` event follow, the source is ended, and
   * the call rejects with the reason.
   */
  readonly signal?: AbortSignal;
  /** What is published of a part: text is joined, other values are sent as they are, undefined is left out. Default: the part itself. */
  readonly toChunk?: (part: P) => unknown;
}

export interface StreamResult {
  readonly id: string;
  /** How many events were published. */
  readonly events: number;
}

type Publish = (data: StreamEvent, key: string) => Promise<void>;
type Send = (content: Content) => Promise<void>;
type Content<E = StreamEvent> = E extends StreamEvent ? Omit<E, "id" | "seq"> : never;
type Delta = { type: "delta"; text: string } | { type: "delta"; parts: unknown[] };
type Outcome = { readonly type: "end" } | { readonly type: "error" | "aborted"; readonly reason: unknown };

const FLUSH_MS = 40;
const FLUSH_CHARACTERS = 6_000;
/** Of one event, so that it stays below the server's limit however its characters are escaped. */
const MOST_CHARACTERS = 8_000;
/** Readers take a stream for dead after 30 s of silence. */
const KEEP_ALIVE_MS = 10_000;
const LONGEST_ID = 100;

/** One request at a time: the order is kept, and a source is not read faster than the server takes it. */
export async function publishStream<P>(
  publish: Publish,
  source: AsyncIterable<P>,
  options: StreamOptions<P>,
): Promise<StreamResult> {
  const { id = crypto.randomUUID(), signal } = options;
  if (id.length < 1 || id.length > LONGEST_ID) throw invalid(`The id of a stream has 1 to ${LONGEST_ID} characters.`);
  signal?.throwIfAborted();
  let events = 0;
  const send = async (content: Content) => {
    const seq = events++;
    await publish({ id, seq, ...content }, `${id}:${seq}`);
  };
  const iterator = source[Symbol.asyncIterator]();
  let outcome: Outcome;
  try {
    await send({ type: "start" });
    outcome = await forward(iterator, send, options);
    await send({ type: outcome.type });
  } catch (error) {
    void stop(iterator);
    // A server that refused one event may take another; one that is away would take none.
    if (error instanceof PublisherError && !error.retryable) await send({ type: "error" }).catch(() => {});
    throw error;
  }
  if (outcome.type === "end") return { id, events };
  void stop(iterator);
  throw outcome.reason;
}

/** Publishes all that the source has. Rejects only where publishing does. */
async function forward<P>(iterator: AsyncIterator<P>, send: Send, options: StreamOptions<P>): Promise<Outcome> {
  const { flushMs = FLUSH_MS, signal, toChunk = (part: P) => part } = options;
  const gathered = new Gathered();
  const flush = async () => {
    for (const delta of gathered.take()) await send(delta);
  };
  let dueAt = performance.now() + KEEP_ALIVE_MS;
  const next = () => readChunk(iterator, toChunk);
  for (let reading = next(); ; ) {
    const first = await firstOf(reading, Math.max(dueAt - performance.now(), 0), signal);
    const read = first === "settled" ? await reading : undefined;
    if (read?.type === "chunk") {
      const wasEmpty = gathered.isEmpty;
      gathered.add(read.json);
      if (wasEmpty && !gathered.isEmpty) dueAt = performance.now() + Math.min(flushMs, KEEP_ALIVE_MS);
      reading = next();
    }
    const outcome = first === "aborted" ? { type: first, reason: signal?.reason } : read;
    if (outcome && outcome.type !== "chunk") {
      await flush();
      return outcome;
    }
    // A source that always has something ready never lets the time come first.
    if (!gathered.isFull && performance.now() < dueAt) continue;
    if (gathered.isEmpty) await send({ type: "start" });
    else await flush();
    dueAt = performance.now() + KEEP_ALIVE_MS;
  }
}

type Chunk = { readonly type: "chunk"; readonly json: unknown };

/** Never rejects: an abort may leave it unread. */
async function readChunk<P>(iterator: AsyncIterator<P>, toChunk: (part: P) => unknown): Promise<Chunk | Outcome> {
  try {
    const { done, value } = await iterator.next();
    return done ? { type: "end" } : { type: "chunk", json: toChunk(value) };
  } catch (reason) {
    return { type: "error", reason };
  }
}

/** Not awaited: a source that waits for its model ends when that answers. */
async function stop(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // What ended the stream is what its caller hears of.
  }
}

/** Chunks that are to be published, as few events. */
class Gathered {
  #deltas: Delta[] = [];
  #characters = 0;
  /** Of the newest delta. */
  #newest = 0;

  get isEmpty(): boolean {
    return this.#deltas.length === 0;
  }

  get isFull(): boolean {
    return this.#characters >= FLUSH_CHARACTERS;
  }

  add(chunk: unknown): void {
    if (typeof chunk === "string") {
      for (const text of piecesOf(chunk)) this.#addText(text);
    } else if (chunk !== undefined) {
      this.#addPart(chunk);
    }
  }

  take(): readonly Delta[] {
    const taken = this.#deltas;
    this.#deltas = [];
    this.#characters = 0;
    return taken;
  }

  #addText(text: string): void {
    const last = this.#deltas.at(-1);
    if (last && "text" in last && this.#hasRoom(text.length)) last.text += text;
    else this.#begin({ type: "delta", text });
    this.#count(text.length);
  }

  #addPart(part: unknown): void {
    const length = JSON.stringify(part)?.length ?? 0;
    const last = this.#deltas.at(-1);
    if (last && "parts" in last && this.#hasRoom(length)) last.parts.push(part);
    else this.#begin({ type: "delta", parts: [part] });
    this.#count(length);
  }

  #hasRoom(characters: number): boolean {
    return this.#newest + characters <= MOST_CHARACTERS;
  }

  #begin(delta: Delta): void {
    this.#deltas.push(delta);
    this.#newest = 0;
  }

  #count(characters: number): void {
    this.#newest += characters;
    this.#characters += characters;
  }
}

/** Short enough for one event each, with no character cut in two. Nothing of an empty text. */
function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = at + MOST_CHARACTERS;
    const isCut = end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1));
    const piece = text.slice(at, isCut ? end - 1 : end);
    yield piece;
    at += piece.length;
  }
}
