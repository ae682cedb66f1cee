/** One WebSocket of an endpoint, between its handshake and its close. It is `ws.data` itself. */

import type { ServerWebSocket } from "bun";
import { CommandError, Disconnect } from "../../domain/error.ts";
import type { FrameQueue } from "../../domain/transport.ts";
import { answersProbe, compensatePause, judgeReader, judgeSilence, sendProbe } from "../../hub/liveness.ts";
import { type TokenBucket, takeToken } from "../../hub/token-bucket.ts";
import { type TurnHost, Turns, type TurnTaker } from "../../hub/turns.ts";
import { isWorthCompressing } from "../compression.ts";
import { nativePromise } from "../system/promises.ts";
import type { Topics } from "../topics.ts";
import type { EndpointHandlers, EndpointOptions, EndpointSocket, Params, Raw } from "./endpoint.ts";

/** What a connection needs of its endpoint. */
export interface EndpointContext extends TurnHost {
  readonly path: string;
  readonly handlers: EndpointHandlers;
  readonly limits: EndpointLimits;
  readonly topics: Topics<EndpointConnection, Raw>;
  /** Whether clients were offered permessage-deflate. */
  readonly compresses: boolean;
  /** The message handler, inside the program's middleware. Undefined when it is done already. */
  handle(connection: EndpointConnection, message: Raw): unknown;
  failed(error: unknown, during: string): void;
  opened(connection: EndpointConnection): void;
  closed(connection: EndpointConnection): void;
  /** Those that are not done, of sockets that may be gone: the server waits for them when it stops. */
  handlersUnderWay: number;
}

export type EndpointLimits = Required<Omit<EndpointOptions, "protocols" | "origins">>;

export interface AcceptedClient {
  readonly address: string;
  readonly params: Params;
  readonly protocol: string;
  readonly data: unknown;
}

/** RFC 6455 7.4.1 */
const CLOSE = { policy: 1008, tooBig: 1009, internal: 1011, restart: 1012 } as const;
/** 1004 to 1006 say that there was no code, and may not be sent. */
const SENDABLE = (code: number) =>
  (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
const LONGEST_REASON_BYTES = 123;

const turns = new Turns<EndpointContext, EndpointConnection>({
  maxTurns: ({ limits }) => (limits.concurrent ? limits.waitingMessages : 1),
  waitingLimits({ limits }, of) {
    const mayWait = !limits.concurrent || of.turnsUnderWay < limits.waitingMessages;
    return { frames: mayWait ? limits.waitingMessages : 0, bytes: limits.waitingBytes };
  },
  run: (endpoint, of, message) => of.run("message", () => endpoint.handle(of, message)),
  overflowed({ limits }, of, limit) {
    const most = limit === "frames" ? `${limits.waitingMessages} messages` : `${limits.waitingBytes} bytes`;
    of.flooded(`More than ${most} were waiting.`);
  },
  fellBehind: (_, of, seconds) => of.flooded(`More than its share for ${seconds} seconds.`),
  turnEnded: (of) => of.finish(),
});

export class EndpointConnection implements EndpointSocket, TurnTaker {
  readonly id = crypto.randomUUID();
  readonly address: string;
  readonly params: Params;
  readonly protocol: string;
  readonly topics = new Set<string>();
  data: unknown;
  readonly #endpoint: EndpointContext;
  #ws: ServerWebSocket<unknown> | undefined;
  /** The handshake, until `open` has had it. */
  #request: Request | undefined;
  #ending: { readonly code: number; readonly reason: string } | undefined;
  #isOver = false;
  readonly #tokens: TokenBucket;

  // As a connection of the hub has them: see domain/connection.ts.
  lastSeenMs: number;
  pingedAtMs = 0;
  wasSent = false;
  probe: string | undefined;
  probedAtMs: number;
  frameQueue: FrameQueue | undefined;
  turnsUnderWay = 0;
  shareLeft = Number.POSITIVE_INFINITY;
  shareAtMs: number;
  /** What came before the end is still handled. */
  readonly closed = false;

  constructor(endpoint: EndpointContext, { address, params, protocol, data }: AcceptedClient, request: Request) {
    this.#endpoint = endpoint;
    this.address = address;
    this.params = params;
    this.protocol = protocol;
    this.data = data;
    this.#request = request;
    this.lastSeenMs = endpoint.clock.monotonicMs();
    this.probedAtMs = this.lastSeenMs;
    this.shareAtMs = this.lastSeenMs;
    this.#tokens = { tokens: endpoint.limits.messagesPerSecond, atMs: this.lastSeenMs };
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
    this.wasSent = true;
    this.#ws.send(message, this.#endpoint.compresses && isWorthCompressing(message.length));
    this.#cutIfSlow();
    return this.isOpen;
  }

  close(code = 1000, reason = ""): void {
    if (!SENDABLE(code)) throw new RangeError(`A WebSocket cannot be closed with the code ${code}.`);
    if (Buffer.byteLength(reason) > LONGEST_REASON_BYTES) {
      throw new RangeError(`The reason of a close has at most ${LONGEST_REASON_BYTES} bytes.`);
    }
    if (!this.isOpen) return;
    // It owes its own close now, as it owes a pong.
    this.pingedAtMs = this.#endpoint.clock.monotonicMs();
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
    if (!this.#ending) this.#endpoint.topics.subscribe(this, topic);
  }

  unsubscribe(topic: string): void {
    this.#endpoint.topics.unsubscribe(this, topic);
  }

  isSubscribed(topic: string): boolean {
    return this.topics.has(topic);
  }

  publish(topic: string, message: Raw): number {
    return this.#endpoint.topics.publish(topic, message, this);
  }

  // ---- what happens to it

  /** For the turn queue. Undefined once it is closed: then nothing is run for it. */
  get socket(): ServerWebSocket<unknown> | undefined {
    return this.isOpen ? this.#ws : undefined;
  }

  opened(ws: ServerWebSocket<unknown>): void {
    this.#ws = ws;
    this.#endpoint.opened(this);
    const request = this.#request;
    this.#request = undefined;
    if (!request) return;
    turns.hold(this.#endpoint, this, () => this.run("open", () => this.#endpoint.handlers.open?.(this, request)));
  }

  received(message: Raw): void {
    this.#seen();
    const { limits } = this.#endpoint;
    const bytes = typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;
    if (bytes > limits.frameBytes) return this.close(CLOSE.tooBig, `More than ${limits.frameBytes} bytes.`);
    if (!this.#takeToken()) {
      return this.flooded(`More than ${limits.messagesPerSecond} messages in a second.`);
    }
    turns.receive(this.#endpoint, this, message, bytes, this.lastSeenMs);
  }

  pinged(data: Uint8Array): void {
    this.#seen();
    turns.receivePing(this.#endpoint, this, this.lastSeenMs);
    this.#notify("ping", data);
  }

  ponged(data: Uint8Array): void {
    this.#seen();
    turns.receivePing(this.#endpoint, this, this.lastSeenMs);
    if (!answersProbe(this, data)) this.#notify("pong", data);
  }

  drained(): void {
    void this.run("drain", () => this.#endpoint.handlers.drain?.(this));
  }

  socketClosed(code: number, reason: string): void {
    this.#ending = { code, reason };
    this.#endpoint.closed(this);
    this.finish();
  }

  /** Called every second or so: cuts clients that are gone without a close, or read nothing. The last time was at `checkedAtMs`. */
  check(nowMs: number, checkedAtMs: number): void {
    const { idleTimeoutS: activityTimeoutS, pongTimeoutS, readerLagS } = this.#endpoint.limits;
    this.#cutIfSlow();
    if (this.frameQueue?.hasPending) compensatePause(this, checkedAtMs, nowMs);
    const lag = judgeReader(this, nowMs, readerLagS);
    if (lag === "cut") return this.terminate();
    if (lag === "probe" && this.isOpen) sendProbe(this, this.#ws, crypto.randomUUID());
    const verdict = judgeSilence(this, nowMs, { activityTimeoutS, pongTimeoutS });
    if (verdict === "gone") return this.terminate();
    if (verdict !== "ping") return;
    this.pingedAtMs = nowMs;
    this.ping();
  }

  /** The server ends it: the client may come back, or need not. */
  disconnect({ reconnect, message }: Disconnect): void {
    this.close(reconnect === "never" ? CLOSE.policy : CLOSE.restart, message);
  }

  flooded(reason: string): void {
    this.frameQueue?.close();
    this.close(CLOSE.policy, reason);
  }

  /** The end, when nothing is under way and nothing waits any more. */
  finish(): void {
    if (this.turnsUnderWay > 0 || !this.#ending || this.frameQueue?.hasPending || this.#isOver) return;
    this.#isOver = true;
    const { code, reason } = this.#ending;
    void this.run("close", () => this.#endpoint.handlers.close?.(this, code, reason));
  }

  /** Runs a handler. Undefined when it is done; else a promise that is fulfilled when it is. Never throws or rejects. */
  run(name: string, handler: () => unknown): Promise<void> | undefined {
    try {
      const work = nativePromise(handler());
      if (!(work instanceof Promise)) return undefined;
      this.#endpoint.handlersUnderWay++;
      return work
        .then(undefined, (error) => this.#failed(error, name))
        .then(() => {
          this.#endpoint.handlersUnderWay--;
        });
    } catch (error) {
      this.#failed(error, name);
      return undefined;
    }
  }

  // ---- private

  #notify(name: "ping" | "pong", data: Uint8Array): void {
    void this.run(name, () => this.#endpoint.handlers[name]?.(this, data));
  }

  #failed(error: unknown, name: string): void {
    const { handlers, path } = this.#endpoint;
    if (error instanceof Disconnect) return this.disconnect(error);
    // Refusing is not closing, and no bug.
    const isRefusal = error instanceof CommandError;
    if (!isRefusal) this.#endpoint.failed(error, `${name} of the endpoint ${path}`);
    if (!handlers.error)
      return isRefusal ? undefined : this.close(CLOSE.internal, "Something went wrong on the server.");
    const failedAgain = (again: unknown) => this.#endpoint.failed(again, `error of the endpoint ${path}`);
    try {
      const work = nativePromise(handlers.error(this, error));
      if (work instanceof Promise) work.catch(failedAgain);
    } catch (again) {
      failedAgain(again);
    }
  }

  #seen(): void {
    this.lastSeenMs = this.#endpoint.clock.monotonicMs();
    if (this.isOpen) this.pingedAtMs = 0;
  }

  #cutIfSlow(): void {
    if (this.bufferedBytes > this.#endpoint.limits.outboundBufferBytes) this.terminate();
  }

  #takeToken(): boolean {
    const { messagesPerSecond } = this.#endpoint.limits;
    if (messagesPerSecond === Number.POSITIVE_INFINITY) return true;
    return takeToken(this.#tokens, this.lastSeenMs, messagesPerSecond) === undefined;
  }
}
