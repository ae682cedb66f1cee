/** ConnectionTarget socket of an endpoint, between its handshake and its close. It is `ws.data` itself. */

import type { ServerWebSocket } from "bun";
import { CommandError, Disconnect } from "../../domain/error.ts";
import { answersProbe, judgeReader, type Reader, sendProbe } from "../../hub/reader-lag.ts";
import { type TokenBucket, takeToken } from "../../hub/token-bucket.ts";
import { countFrame, countWork, isOverShare, PacedQueue, type TurnQueue } from "../../hub/turn-queue.ts";
import { nativePromise } from "../system/native-promise.ts";
import { isWorthCompressing } from "../websocket/compression.ts";
import type { EndpointHandlers, EndpointOptions, EndpointSocket, Params, Raw } from "./endpoint.ts";
import type { Topics } from "./topics.ts";

/** What a seat needs to know of its endpoint. */
export interface EndpointContext<D> {
  readonly path: string;
  readonly handlers: EndpointHandlers<D>;
  readonly limits: EndpointLimits;
  readonly topics: Topics<EndpointConnection<D>>;
  /** Whether clients were offered permessage-deflate. */
  readonly compresses: boolean;
  nowMs(): number;
  readonly pacer: TurnQueue;
  /** The message handler, and what the program has put around it. Undefined when it is done already. */
  handle(seat: EndpointConnection<D>, message: Raw): unknown;
  failed(error: unknown, during: string): void;
  opened(seat: EndpointConnection<D>): void;
  closed(seat: EndpointConnection<D>): void;
  /** A handler is at work, and is done: the server waits for it when it stops. */
  handlerStarted(): void;
  handlerEnded(): void;
}

export type EndpointLimits = Required<Omit<EndpointOptions, "protocols" | "origins">>;

export interface AcceptedClient<D> {
  readonly address: string;
  readonly params: Params;
  readonly protocol: string;
  readonly data: D;
}

interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** RFC 6455 7.4.1 */
const CLOSE = { policy: 1008, tooBig: 1009, internal: 1011, restart: 1012 } as const;
/** 1004 to 1006 say that there was no code, and may not be sent. */
const SENDABLE = (code: number) =>
  (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
const LONGEST_REASON_BYTES = 123;

export class EndpointConnection<D = unknown> implements EndpointSocket<D> {
  readonly id = crypto.randomUUID();
  readonly address: string;
  readonly params: Params;
  readonly protocol: string;
  readonly topics = new Set<string>();
  data: D;
  readonly #home: EndpointContext<D>;
  #ws: ServerWebSocket<unknown> | undefined;
  /** The handshake, until `open` has had it. */
  #request: Request | undefined;
  #lastSeenMs: number;
  /** When it was asked for a sign of life, or told goodbye; 0 when it owes nothing. */
  #owesSinceMs = 0;
  #underWay = 0;
  readonly #share: TokenBucket;
  #backlog: Messages<D> | undefined;
  #ending: Ending | undefined;
  #isOver = false;
  readonly #tokens: TokenBucket;
  readonly #reader: Reader;

  constructor(home: EndpointContext<D>, { address, params, protocol, data }: AcceptedClient<D>, request: Request) {
    this.#home = home;
    this.address = address;
    this.params = params;
    this.protocol = protocol;
    this.data = data;
    this.#request = request;
    this.#lastSeenMs = home.nowMs();
    this.#reader = { wasSent: false, probe: undefined, probedAtMs: this.#lastSeenMs };
    this.#share = { tokens: Number.POSITIVE_INFINITY, atMs: this.#lastSeenMs };
    this.#tokens = { tokens: home.limits.messagesPerSecond, atMs: this.#lastSeenMs };
  }

  // ---- what the program does with it

  get isOpen(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  get bufferedBytes(): number {
    return this.isOpen ? (this.#ws?.getBufferedAmount() ?? 0) : 0;
  }

  send(message: Raw): boolean {
    if (!this.#ws || !this.isOpen) return false;
    this.#reader.wasSent = true;
    this.#ws.send(message, this.#home.compresses && isWorthCompressing(message.length));
    this.#cutIfSlow();
    return this.isOpen;
  }

  close(code = 1000, reason = ""): void {
    if (!SENDABLE(code)) throw new RangeError(`A WebSocket cannot be closed with the code ${code}.`);
    if (Buffer.byteLength(reason) > LONGEST_REASON_BYTES) {
      throw new RangeError(`The reason of a close has at most ${LONGEST_REASON_BYTES} bytes.`);
    }
    if (!this.isOpen) return;
    this.#owesSinceMs = this.#home.nowMs();
    this.#ws?.close(code, reason);
  }

  terminate(): void {
    this.#ws?.terminate();
  }

  ping(data?: Raw): void {
    if (this.isOpen) this.#ws?.ping(data);
  }

  pong(data?: Raw): void {
    if (this.isOpen) this.#ws?.pong(data);
  }

  subscribe(topic: string): void {
    if (!this.#ending) this.#home.topics.subscribe(this, topic);
  }

  unsubscribe(topic: string): void {
    this.#home.topics.unsubscribe(this, topic);
  }

  isSubscribed(topic: string): boolean {
    return this.topics.has(topic);
  }

  publish(topic: string, message: Raw): number {
    return this.#home.topics.publish(topic, message, this);
  }

  // ---- what happens to it

  opened(ws: ServerWebSocket<unknown>): void {
    this.#ws = ws;
    this.#home.opened(this);
    const request = this.#request;
    this.#request = undefined;
    if (request) this.#turn("open", () => this.#home.handlers.open?.(this, request));
    this.#next();
  }

  received(message: Raw): void {
    this.#seen();
    const { limits } = this.#home;
    const bytes = typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;
    if (bytes > limits.frameBytes) return this.close(CLOSE.tooBig, `More than ${limits.frameBytes} bytes.`);
    if (!this.#takeToken()) {
      return this.#flooded(`More than ${limits.messagesPerSecond} messages in a second.`);
    }
    countFrame(this.#share, this.#lastSeenMs);
    if (isOverShare(this.#share) || this.isBusy || this.#backlog?.hasPending) return this.#wait(message, bytes);
    this.handle(message);
    countWork(this.#share, this.#lastSeenMs, this.#home.nowMs());
    this.#next();
  }

  pinged(data: Uint8Array): void {
    this.#beat();
    if (this.#home.handlers.ping) this.#aside("ping", () => this.#home.handlers.ping?.(this, data));
  }

  ponged(data: Uint8Array): void {
    this.#beat();
    if (answersProbe(this.#reader, data)) return;
    if (this.#home.handlers.pong) this.#aside("pong", () => this.#home.handlers.pong?.(this, data));
  }

  drained(): void {
    if (this.#home.handlers.drain) this.#aside("drain", () => this.#home.handlers.drain?.(this));
  }

  closed(code: number, reason: string): void {
    this.#ending = { code, reason };
    this.#home.closed(this);
    this.#next();
  }

  /** Called every second or so: cuts who is gone without a word, or reads nothing. */
  check(nowMs: number): void {
    const { idleTimeoutS, pongTimeoutS, readerLagS } = this.#home.limits;
    this.#cutIfSlow();
    const lag = judgeReader(this.#reader, nowMs, readerLagS);
    if (lag === "cut") return this.terminate();
    if (lag === "probe" && this.isOpen) sendProbe(this.#reader, this.#ws, crypto.randomUUID());
    if (this.#owesSinceMs > 0) {
      if (nowMs - this.#owesSinceMs > pongTimeoutS * 1000) this.terminate();
    } else if (nowMs - this.#lastSeenMs > idleTimeoutS * 1000) {
      this.#owesSinceMs = nowMs;
      this.ping();
    }
  }

  /** For so long the server itself stood still. */
  compensateStall(ms: number, nowMs: number): void {
    this.#lastSeenMs = Math.min(nowMs, this.#lastSeenMs + ms);
    this.#reader.probedAtMs = Math.min(nowMs, this.#reader.probedAtMs + ms);
    if (this.#owesSinceMs > 0) this.#owesSinceMs = Math.min(nowMs, this.#owesSinceMs + ms);
  }

  /** The server ends it: the client may come back, or need not. */
  disconnect({ reconnect, message }: Disconnect): void {
    this.close(reconnect === "never" ? CLOSE.policy : CLOSE.restart, message);
  }

  // ---- private

  /** A ping or a pong: the runtime has answered it already. */
  #beat(): void {
    this.#seen();
    countFrame(this.#share, this.#lastSeenMs);
    if (isOverShare(this.#share)) this.#messages().rest(this.#lastSeenMs);
  }

  #wait(message: Raw, bytes: number): void {
    const { concurrent, waitingMessages, waitingBytes } = this.#home.limits;
    const backlog = this.#messages();
    if ((concurrent && this.isBusy) || backlog.size >= waitingMessages) {
      return this.#flooded(`More than ${waitingMessages} messages were waiting.`);
    }
    if (backlog.bytes >= waitingBytes) return this.#flooded(`More than ${waitingBytes} bytes were waiting.`);
    backlog.add(message, bytes);
  }

  #messages(): Messages<D> {
    this.#backlog ??= new Messages(this.#home.pacer, this, () => this.#ws);
    return this.#backlog;
  }

  // ---- what its backlog does with it

  /** Whether no other message may be begun now. */
  get isBusy(): boolean {
    const { concurrent, waitingMessages } = this.#home.limits;
    return this.#underWay >= (concurrent ? waitingMessages : 1);
  }

  handle(message: Raw): void {
    this.#turn("message", () => this.#home.handle(this, message));
  }

  /** Runs a handler; messages wait for it, and for whatever else is under way. So does the end, which it may bring about itself. */
  #turn(name: string, run: () => unknown): void {
    this.#underWay++;
    try {
      const work = nativePromise(run());
      if (work instanceof Promise) {
        return this.#follow(work, name, () => {
          this.#underWay--;
          this.#next();
        });
      }
    } catch (error) {
      this.#failed(error, name);
    }
    this.#underWay--;
  }

  #next(): void {
    this.#backlog?.drain();
    this.finish();
  }

  /** The end, when nothing waits any more. */
  finish(): void {
    if (this.#underWay > 0 || !this.#ending || this.#backlog?.hasPending || this.#isOver) return;
    this.#isOver = true;
    const { code, reason } = this.#ending;
    const { close } = this.#home.handlers;
    // Once: nothing is under way any more, and nothing comes after it.
    if (close) this.#aside("close", () => close.call(this.#home.handlers, this, code, reason));
  }

  /** Runs a handler that nothing waits for. */
  #aside(name: string, run: () => unknown): void {
    try {
      const work = nativePromise(run());
      if (work instanceof Promise) this.#follow(work, name, () => {});
    } catch (error) {
      this.#failed(error, name);
    }
  }

  #follow(work: Promise<unknown>, name: string, then: () => void): void {
    this.#home.handlerStarted();
    void work
      .catch((error) => this.#failed(error, name))
      .then(() => {
        this.#home.handlerEnded();
        then();
      });
  }

  #failed(error: unknown, name: string): void {
    const { handlers, path } = this.#home;
    if (error instanceof Disconnect) return this.disconnect(error);
    // Refusing is not closing, and no bug.
    const isRefusal = error instanceof CommandError;
    if (!isRefusal) this.#home.failed(error, `${name} of the endpoint ${path}`);
    if (!handlers.error)
      return isRefusal ? undefined : this.close(CLOSE.internal, "Something went wrong on the server.");
    try {
      const work = nativePromise(handlers.error(this, error));
      if (work instanceof Promise) work.catch((again) => this.#home.failed(again, `error of the endpoint ${path}`));
    } catch (again) {
      this.#home.failed(again, `error of the endpoint ${path}`);
    }
  }

  #seen(): void {
    this.#lastSeenMs = this.#home.nowMs();
    if (this.isOpen) this.#owesSinceMs = 0;
  }

  tooMuch(seconds: number): void {
    this.#flooded(`More than its share for ${seconds} seconds.`);
  }

  #flooded(reason: string): void {
    this.#backlog?.close();
    this.close(CLOSE.policy, reason);
  }

  #cutIfSlow(): void {
    if (this.bufferedBytes > this.#home.limits.outboundBufferBytes) this.terminate();
  }

  #takeToken(): boolean {
    const { messagesPerSecond } = this.#home.limits;
    if (messagesPerSecond === Number.POSITIVE_INFINITY) return true;
    return takeToken(this.#tokens, this.#lastSeenMs, messagesPerSecond) === undefined;
  }
}

/** Messages that wait for their turn: those before them, or everybody else, come first. */
class Messages<D> extends PacedQueue<Raw> {
  readonly #seat: EndpointConnection<D>;
  readonly #ws: () => ServerWebSocket<unknown> | undefined;
  /** What came before the end is handled. */
  readonly isClosed = false;

  constructor(pacer: TurnQueue, seat: EndpointConnection<D>, ws: () => ServerWebSocket<unknown> | undefined) {
    super(pacer);
    this.#seat = seat;
    this.#ws = ws;
  }

  /** None that is closed: nothing would be run for it. */
  get socket() {
    return this.#seat.isOpen ? this.#ws() : undefined;
  }

  get isBusy(): boolean {
    return this.#seat.isBusy;
  }

  process(message: Raw): void {
    this.#seat.handle(message);
  }

  onEmpty(): void {
    this.#seat.finish();
  }

  onTooFarBehind(seconds: number): void {
    this.#seat.tooMuch(seconds);
  }
}
