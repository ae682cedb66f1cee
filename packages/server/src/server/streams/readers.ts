/** The two requests by which an HTTP client reads: a response that goes on and on, and one that waits for something to report. */

import type { Framing } from "./framing.ts";
import { type FrameReader, type HttpSocket, KEPT_FRAMES, KEPT_UNITS } from "./http-socket.ts";
import type { Sessions } from "./sessions.ts";

/** What a request that reads needs to know. */
export interface Reading {
  readonly sessions: Sessions;
  readonly socket: HttpSocket;
  readonly request: Request;
  readonly framing: Framing;
  /** It opened the session. */
  readonly isFirst: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** All that waits, until the response is as long as it may be; and the end, where that is all. */
function takeText({ socket, framing }: Reading, units: number): string {
  const take = (mostUnits: number, mostFrames?: number) => {
    const from = socket.position + 1;
    return framing.frames(socket.take(mostUnits, mostFrames), from);
  };
  // No more than is kept until the client says that it has it.
  if (framing.isOneBatch) return take(KEPT_UNITS, KEPT_FRAMES);
  let text = "";
  while (socket.getBufferedAmount() > 0 && units + text.length <= framing.rotationUnits) {
    text += take(framing.rotationUnits - units - text.length);
  }
  if (!framing.isResumable) socket.acknowledge(socket.position);
  const { closing } = socket;
  return closing && units + text.length <= framing.rotationUnits ? text + framing.close(closing) : text;
}

export class StreamReader implements FrameReader {
  readonly response: Response;
  readonly #reading: Reading;
  readonly #stream: StreamedResponse;
  #units = 0;
  #isStalled = false;
  /** Another request reads instead, or the client hung up. A write that stalled may still come to an end. */
  #isOver = false;
  #wroteAtMs = 0;

  constructor(reading: Reading) {
    const { request, framing, sessions, socket, isFirst } = reading;
    this.#reading = reading;
    this.#stream = new StreamedResponse(request.signal, { ...framing.headers, ...reading.headers }, () =>
      this.#hungUp(),
    );
    this.response = this.#stream.response;
    // The headers go out with the first bytes.
    this.#write(framing.first(isFirst));
    sessions.startTicking(this);
    socket.attach(this);
  }

  wake(): void {
    if (this.#isStalled || this.#isFull || this.#isOver) return;
    const { socket } = this.#reading;
    const { closing } = socket;
    const text = takeText(this.#reading, this.#units);
    if (text !== "") this.#write(text);
    if (closing && !this.#isFull && socket.getBufferedAmount() === 0) socket.terminate();
  }

  end(): void {
    this.#isOver = true;
    this.#reading.sessions.stopTicking(this);
    this.#stream.end();
  }

  tick(nowMs: number): void {
    if (nowMs - this.#wroteAtMs >= this.#reading.sessions.settings.keepAliveS * 1000) this.giveSignOfLife();
  }

  giveSignOfLife(): void {
    if (!this.#isStalled && !this.#isFull && !this.#isOver) this.#write(this.#reading.framing.keepAlive);
  }

  get #isFull(): boolean {
    return this.#units > this.#reading.framing.rotationUnits;
  }

  #write(text: string): void {
    this.#units += text.length;
    this.#wroteAtMs = this.#reading.sessions.nowMs;
    const stalled = this.#stream.write(text);
    if (!stalled) return;
    this.#isStalled = true;
    void stalled.then(() => {
      this.#isStalled = false;
      if (this.#reading.socket.isReady) this.wake();
    });
  }

  #hungUp(): void {
    this.#isOver = true;
    const { sessions, socket, framing } = this.#reading;
    sessions.stopTicking(this);
    // One that has read as much as it may comes again.
    if (socket.detach(this) && !framing.isResumable && !this.#isFull) socket.terminate();
  }
}

export class PollReader implements FrameReader {
  readonly response: Promise<Response>;
  readonly #reading: Reading;
  readonly #startedAtMs: number;
  readonly #answer: (text: string) => void;

  constructor(reading: Reading) {
    const { request, framing, sessions, socket } = reading;
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#reading = reading;
    this.#startedAtMs = sessions.nowMs;
    this.#answer = (text) => {
      const body = framing.poll?.(text, socket.position) ?? text;
      resolve(new Response(body, { headers: { ...framing.headers, ...reading.headers } }));
    };
    request.signal.addEventListener("abort", () => this.#hungUp());
    sessions.startTicking(this);
    socket.attach(this);
    if (request.signal.aborted) this.#hungUp();
  }

  wake(): void {
    const { socket, framing, isFirst } = this.#reading;
    const { closing } = socket;
    if (socket.holdsPoll || !this.#stop()) return;
    const first = framing.first(isFirst);
    this.#answer(first + takeText(this.#reading, first.length));
    if (closing && socket.getBufferedAmount() === 0) socket.terminate();
  }

  end(): void {
    this.#reading.sessions.stopTicking(this);
    this.#answer("");
  }

  tick(nowMs: number): void {
    if (nowMs - this.#startedAtMs >= this.#reading.sessions.settings.pollS * 1000) this.giveSignOfLife();
  }

  giveSignOfLife(): void {
    const { socket, framing } = this.#reading;
    if (!socket.holdsPoll && this.#stop()) this.#answer(framing.keepAlive);
  }

  #hungUp(): void {
    const { socket, framing } = this.#reading;
    if (this.#stop() && !framing.isResumable) socket.terminate();
  }

  /** False where it is over already. */
  #stop(): boolean {
    this.#reading.sessions.stopTicking(this);
    return this.#reading.socket.detach(this);
  }
}

interface DirectController {
  /** A promise where the kernel takes no more; it resolves when it does. Nothing that was written is lost. */
  write(text: string): number | Promise<number>;
  flush(): number | Promise<number>;
  end(): void;
}

/**
 * A response that is written piece by piece, for as long as the client reads. The one place that knows Bun's direct streams: a
 * default stream says some 8 MB too late that the client does not read.
 */
class StreamedResponse {
  readonly response: Response;
  readonly #gone: () => void;
  #controller: DirectController | undefined;
  /** What is written before Bun asks for it. */
  #early = "";
  #finished = Promise.withResolvers<void>();
  #isOver = false;

  /** `gone` is called once, where the client hangs up before the end. */
  constructor(signal: AbortSignal, headers: Readonly<Record<string, string>>, gone: () => void) {
    this.#gone = gone;
    const source = {
      type: "direct",
      pull: (controller: DirectController) => this.#open(controller),
      cancel: () => this.#hangUp(),
    };
    signal.addEventListener("abort", () => this.#hangUp());
    this.response = new Response(new ReadableStream(source as unknown as UnderlyingDefaultSource), { headers });
    if (signal.aborted) queueMicrotask(() => this.#hangUp());
  }

  /** A promise where the client does not keep up; more should be written only when it resolves. It never rejects. */
  write(text: string): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    if (!this.#controller) {
      this.#early += text;
      return undefined;
    }
    try {
      const written = this.#controller.write(text);
      const flushed = this.#controller.flush();
      if (typeof written === "number" && typeof flushed === "number") return undefined;
      return Promise.all([written, flushed]).then(noResult, () => this.#hangUp());
    } catch {
      // The client is gone, which is reported in a moment.
      return undefined;
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finished.resolve();
    try {
      this.#controller?.end();
    } catch {
      // The client was faster.
    }
  }

  #open(controller: DirectController): Promise<void> | undefined {
    this.#controller = controller;
    if (this.#early !== "") {
      controller.write(this.#early);
      controller.flush();
    }
    this.#early = "";
    if (!this.#isOver) return this.#finished.promise;
    controller.end();
    return undefined;
  }

  #hangUp(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finished.resolve();
    this.#gone();
  }
}

function noResult(): void {}
