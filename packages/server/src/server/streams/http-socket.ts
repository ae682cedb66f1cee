/**
 * A client's socket, made of HTTP requests that come and go: what is sent to it waits, numbered, for the request that reads it.
 * The hub takes it for any other socket.
 */

import type { SessionInfo } from "../../domain/message.ts";
import type { Socket, TopicWriter } from "../../domain/transport.ts";
import { Topics } from "../topics.ts";

/** The request that reads what is sent: one at a time. */
export interface FrameReader {
  /** Frames wait, or the socket is closed. */
  wake(): void;
  /** The client asked whether the server is there, and takes anything for an answer. */
  giveSignOfLife(): void;
  /** Another request took its place, or the session is over: it ends without another word. */
  end(): void;
}

export interface HttpSocketOptions {
  /** What the client is told of it, where it is. */
  readonly session?: SessionInfo;
  readonly streams: Streams;
  /** Most bytes that wait. */
  readonly limitBytes: number;
  /** What a frame looks like where it is written: the same for all sockets, so that it is made once. */
  readonly encode: (frame: string) => string;
  /** How a WebSocket ping is spelled; undefined where the protocol asks by a frame of its own. */
  readonly pingFrame?: string;
  /** What a ping with data asked for: everything that waited by then is written. */
  readonly caughtUp: () => void;
  /** The number of the last frame that the client has before it reads from here. */
  readonly startAt?: number;
  /** The server is closing: a poll that is answered may have no next one. */
  readonly isLeaving?: () => boolean;
  /** The request that read is over. */
  readonly detached?: () => void;
  /** More wait than may. */
  readonly overflowed: () => void;
  /** The last reader has everything, or none came for it in time. */
  readonly ended: () => void;
  readonly nowMs: () => number;
}

/** Written frames that are kept until the client has them for sure. */
export const KEPT_FRAMES = 256;
export const KEPT_UNITS = 65_536;

export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}

export class HttpSocket implements Socket {
  readonly topics = new Set<string>();
  readonly #options: HttpSocketOptions;
  /** From the first that the client may not have. */
  #frames: string[] = [];
  /** The number of the first of them. */
  #first = 1;
  /** The number of the last that was written; from 1. */
  #written = 0;
  #writtenUnits = 0;
  #waitingUnits = 0;
  #reader: FrameReader | undefined;
  /** The request that reads, or that read last. */
  lastReader: FrameReader | undefined;
  #isFlushDue = false;
  #isOverflowing = false;
  #owesSignOfLife = false;
  #paused: PromiseWithResolvers<void> | undefined;
  /** How many frames have to be written before the probe is answered. */
  #probeAt: number | undefined;
  closing: CloseReason | undefined;
  isEnded = false;
  /** Since when no request reads it, or since when it closes: a reader that vanished does not hold it up. */
  idleSinceMs: number;

  constructor(options: HttpSocketOptions) {
    this.#options = options;
    this.#written = options.startAt ?? 0;
    this.#first = this.#written + 1;
    this.idleSinceMs = options.nowMs();
  }

  // ---- as the hub sees it

  get session(): SessionInfo | undefined {
    return this.#options.session;
  }

  send(frame: string): void {
    if (this.closing || this.isEnded || this.#isOverflowing) return;
    const encoded = this.#options.encode(frame);
    this.#frames.push(encoded);
    this.#waitingUnits += encoded.length;
    if (this.#waitingUnits > this.#options.limitBytes) return this.#overflow();
    this.#flushSoon();
  }

  close(code = 1000, reason = ""): void {
    if (this.closing || this.isEnded) return;
    this.#options.streams.unsubscribeAll(this);
    if (this.#reader) this.#idles();
    this.closing = { code, reason };
    this.resume();
    this.#flushSoon();
  }

  terminate(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#options.streams.unsubscribeAll(this);
    this.resume();
    this.#frames = [];
    this.#waitingUnits = 0;
    this.endReader();
    this.#options.ended();
  }

  /** With data it asks how far the client is behind: it is not when all that waits now is written. */
  ping(data?: string): void {
    const { pingFrame } = this.#options;
    if (data !== undefined) {
      this.#probeAt = this.#first + this.#frames.length - 1;
      this.#answerProbe();
    } else if (pingFrame !== undefined) this.send(pingFrame);
  }

  getBufferedAmount(): number {
    return this.#waitingUnits;
  }

  subscribe(topic: string): void {
    if (!this.closing && !this.isEnded) this.#options.streams.subscribe(this, topic);
  }

  unsubscribe(topic: string): void {
    this.#options.streams.unsubscribe(this, topic);
  }

  isSubscribed(topic: string): boolean {
    return this.topics.has(topic);
  }

  /** Its topics are scattered, so that nothing is published by a socket. */
  publish(): never {
    throw new Error("An HTTP client's socket publishes nothing.");
  }

  cork(run: () => void): void {
    run();
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** Resolves when the client may send again; undefined while it may. */
  get resumed(): Promise<void> | undefined {
    return this.#paused?.promise;
  }

  // ---- as its requests see it

  get hasReader(): boolean {
    return this.#reader !== undefined;
  }

  /** The number of the last frame that was written. */
  get position(): number {
    return this.#written;
  }

  /** A poll waits for the farewell, and has all that comes before it: the next one might find the port closed. */
  get holdsPoll(): boolean {
    return this.closing === undefined && this.#options.isLeaving?.() === true;
  }

  /** Whether there is anything to tell. */
  get isReady(): boolean {
    return this.#waitingUnits > 0 || this.closing !== undefined;
  }

  /** The next to be read is the frame behind this one. False where that is no longer kept, or was never sent. */
  seek(position: number): boolean {
    if (position < this.#first - 1 || position > this.#written) return false;
    const again = this.#frames.slice(position - this.#first + 1, this.#written - this.#first + 1);
    for (const { length } of again) {
      this.#waitingUnits += length;
      this.#writtenUnits -= length;
    }
    this.#written = position;
    return true;
  }

  /** The client has everything up to this frame, and reads on behind it. */
  rewind(ack: number): boolean {
    if (!this.seek(ack)) return false;
    this.acknowledge(ack);
    return true;
  }

  /** The request that reads ends, as another is about to take its place: what it took until then would get lost. */
  endReader(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#idles();
    reader?.end();
  }

  /** Takes the place of the request that read before. */
  attach(reader: FrameReader): void {
    const before = this.#reader;
    this.#reader = reader;
    this.lastReader = reader;
    before?.end();
    if (this.isReady) reader.wake();
    else if (this.#owesSignOfLife) this.giveSignOfLife();
    this.#owesSignOfLife = false;
  }

  /** By the request that reads, or by the next one. */
  giveSignOfLife(): void {
    if (this.#reader) this.#reader.giveSignOfLife();
    else this.#owesSignOfLife = true;
  }

  /** False where another request took its place already. */
  detach(reader: FrameReader): boolean {
    if (this.#reader !== reader) return false;
    this.#reader = undefined;
    this.#idles();
    this.#options.detached?.();
    return true;
  }

  /** The next frames that wait, at most so much text but one at least. They count as written. */
  take(maxUnits: number, maxFrames = Number.POSITIVE_INFINITY): readonly string[] {
    const start = this.#written - this.#first + 1;
    let end = start;
    let units = 0;
    while (end < this.#frames.length && end - start < maxFrames) {
      const { length } = this.#frames[end] as string;
      if (end > start && units + length > maxUnits) break;
      units += length;
      end++;
    }
    const taken = this.#frames.slice(start, end);
    this.#written += taken.length;
    this.#waitingUnits -= units;
    this.#writtenUnits += units;
    this.#trim();
    this.#answerProbe();
    return taken;
  }

  /** The client has everything up to this frame. */
  acknowledge(ack: number): void {
    this.#drop(Math.min(ack, this.#written));
  }

  /** Writes what was sent to it. Two calls are never due at a time. */
  flush(): void {
    this.#isFlushDue = false;
    this.#reader?.wake();
  }

  // ---- private

  #idles(): void {
    if (!this.closing) this.idleSinceMs = this.#options.nowMs();
  }

  #flushSoon(): void {
    if (this.#isFlushDue || !this.#reader) return;
    this.#isFlushDue = true;
    this.#options.streams.flushSoon(this);
  }

  /** In a moment: what sent it is under way in the hub. */
  #overflow(): void {
    this.#isOverflowing = true;
    queueMicrotask(this.#options.overflowed);
  }

  #answerProbe(): void {
    if (this.#probeAt === undefined || this.#written < this.#probeAt) return;
    this.#probeAt = undefined;
    this.#options.caughtUp();
  }

  /** Forgets all up to this number. */
  #drop(number: number): void {
    const count = number - this.#first + 1;
    if (count <= 0) return;
    for (const frame of this.#frames.splice(0, count)) this.#writtenUnits -= frame.length;
    this.#first = number + 1;
  }

  #trim(): void {
    let number = this.#first - 1;
    let units = this.#writtenUnits;
    while (this.#written - number > KEPT_FRAMES || (units > KEPT_UNITS && this.#written - number > 1)) {
      units -= this.#frames[number + 1 - this.#first]?.length ?? 0;
      number++;
    }
    this.#drop(number);
  }
}

/** All of them, by the topics they are subscribed to: beside Bun's own topics, behind the same port. */
export class Streams extends Topics<HttpSocket, string> implements TopicWriter {
  #unflushed: HttpSocket[] = [];

  /** A socket's own publish does not get here. */
  isScattered(topic: string): boolean {
    return this.has(topic);
  }

  /** What is sent to a reader in one turn of the event loop goes out in one write: ten frames cost it a third as much. */
  flushSoon(reader: HttpSocket): void {
    if (this.#unflushed.push(reader) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const readers = this.#unflushed;
    this.#unflushed = [];
    for (const reader of readers) reader.flush();
  }
}
