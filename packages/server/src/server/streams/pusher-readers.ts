/** The two requests by which pusher-js reads: a response that goes on and on, and one that waits for something to tell. */

import { receivePing } from "../../hub/execute.ts";
import type { CloseReason, FrameReader } from "./http-socket.ts";
import type { Session, Sessions } from "./sessions.ts";
import { StreamedResponse } from "./streamed-response.ts";

/**
 * Behind the line that takes a response above so many UTF-16 code units nothing more is written: the client then hangs up and comes
 * again, and what was under way would be lost. It counts what it has received in the same units.
 */
const ROTATION_UNITS = 262_144;

/** A line that says nothing: to proxies it is a sign of life, and pusher-js passes over what begins with a space. */
const KEEP_ALIVE = " \n";

export function closeLine({ code, reason }: CloseReason): string {
  return `c${JSON.stringify([code, reason])}\n`;
}

/** All that waits, until the response is as long as it may be. */
function takeText({ socket }: Session, units: number): string {
  let text = "";
  while (socket.getBufferedAmount() > 0 && units + text.length <= ROTATION_UNITS) {
    text += socket.take(ROTATION_UNITS - units - text.length).join("");
  }
  // A client that did not get this never comes back for it.
  socket.acknowledge(socket.position);
  const { closing } = socket;
  const isLast = closing && units + text.length <= ROTATION_UNITS;
  return isLast ? text + closeLine(closing) : text;
}

export class StreamReader implements FrameReader {
  readonly #sessions: Sessions;
  readonly #session: Session;
  readonly #stream: StreamedResponse;
  #units = 0;
  #isStalled = false;
  #wroteAtMs: number;
  readonly #nowMs: () => number;

  constructor(
    sessions: Sessions,
    session: Session,
    request: Request,
    headers: Readonly<Record<string, string>>,
    first: string,
  ) {
    this.#sessions = sessions;
    this.#session = session;
    this.#nowMs = () => sessions.nowMs;
    this.#wroteAtMs = sessions.nowMs;
    this.#stream = new StreamedResponse(request.signal, headers, () => this.#hungUp());
    // The headers go out with the first bytes.
    this.#write(first === "" ? KEEP_ALIVE : first);
    sessions.startTicking(this);
    session.socket.attach(this);
  }

  get response(): Response {
    return this.#stream.response;
  }

  wake(): void {
    if (this.#isStalled || this.#isFull) return;
    const { socket } = this.#session;
    const { closing } = socket;
    const text = takeText(this.#session, this.#units);
    if (text !== "") this.#write(text);
    if (closing && !this.#isFull && socket.getBufferedAmount() === 0) socket.terminate();
  }

  end(): void {
    this.#sessions.stopTicking(this);
    this.#stream.end();
  }

  tick(nowMs: number): void {
    if (nowMs - this.#wroteAtMs >= this.#sessions.settings.keepAliveS * 1000) this.giveSignOfLife();
  }

  giveSignOfLife(): void {
    if (!this.#isStalled && !this.#isFull) this.#write(KEEP_ALIVE);
  }

  get #isFull(): boolean {
    return this.#units > ROTATION_UNITS;
  }

  #write(text: string): void {
    this.#units += text.length;
    this.#wroteAtMs = this.#nowMs();
    const stalled = this.#stream.write(text);
    if (!stalled) return;
    this.#isStalled = true;
    void stalled.then(() => {
      this.#isStalled = false;
      if (this.#session.socket.isReady) this.wake();
    });
  }

  /** A client that has read enough comes again; any other does not. */
  #hungUp(): void {
    this.#sessions.stopTicking(this);
    const wasReading = this.#session.socket.detach(this);
    if (wasReading && !this.#isFull) this.#session.socket.terminate();
  }
}

export class PollReader implements FrameReader {
  readonly response: Promise<Response>;
  readonly #sessions: Sessions;
  readonly #session: Session;
  readonly #startedAtMs: number;
  readonly #first: string;
  readonly #answer: (text: string) => void;

  constructor(
    sessions: Sessions,
    session: Session,
    request: Request,
    headers: Readonly<Record<string, string>>,
    first: string,
  ) {
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#sessions = sessions;
    this.#session = session;
    this.#startedAtMs = sessions.nowMs;
    this.#first = first;
    this.#answer = (text) => resolve(new Response(text, { headers }));
    request.signal.addEventListener("abort", () => this.#hungUp());
    sessions.startTicking(this);
    if (session.connection) receivePing(sessions.hub, session.connection);
    session.socket.attach(this);
    if (request.signal.aborted) this.#hungUp();
  }

  wake(): void {
    const { socket } = this.#session;
    const { closing } = socket;
    if (!this.#stop()) return;
    const text = this.#first + takeText(this.#session, this.#first.length);
    this.#answer(text);
    if (closing && socket.getBufferedAmount() === 0) socket.terminate();
  }

  end(): void {
    this.#sessions.stopTicking(this);
    this.#answer("");
  }

  tick(nowMs: number): void {
    if (nowMs - this.#startedAtMs >= this.#sessions.settings.pollS * 1000) this.giveSignOfLife();
  }

  giveSignOfLife(): void {
    if (this.#stop()) this.#answer("h\n");
  }

  /** A poll that is cut off is not asked again. */
  #hungUp(): void {
    if (this.#stop()) this.#session.socket.terminate();
  }

  /** False where it is over already. */
  #stop(): boolean {
    this.#sessions.stopTicking(this);
    return this.#session.socket.detach(this);
  }
}
