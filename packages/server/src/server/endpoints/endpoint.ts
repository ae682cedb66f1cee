/** A WebSocket endpoint of the program's own: raw frames at a path, in no app, no channel and no protocol of ours. */

import type { Awaitable } from "../../domain/ports.ts";
import type { FetchContext } from "../http/router.ts";

/** One message: text as a string, binary as bytes. */
export type Raw = string | Uint8Array;

/** From the endpoint's path: `/rooms/:room` makes `{ room }`, a `*` at its end `{ "*": … }`. Decoded. */
export type Params = Readonly<Record<string, string>>;

/** One client of an endpoint. */
export interface EndpointSocket<D = unknown> {
  readonly id: string;
  /** The client's, as the server trusts it. */
  readonly address: string;
  readonly params: Params;
  /** What was agreed on in the handshake; empty where nothing was. */
  readonly protocol: string;
  /** The program's own. At first what `upgrade` returned. */
  data: D;
  readonly isOpen: boolean;
  /** What waits for a slow reader, in bytes; `drain` is called when it is less again. */
  readonly bufferedBytes: number;
  /** Text goes as a text frame, bytes as a binary one. Whether the client is still there. */
  send(message: Raw): boolean;
  /** Throws RangeError where no such close may be sent: codes are 1000 to 1014 and 3000 to 4999, reasons 123 bytes. */
  close(code?: number, reason?: string): void;
  /** Without a word; the client sees 1006. */
  terminate(): void;
  ping(data?: Raw): void;
  pong(data?: Raw): void;
  /** To topics of this endpoint; other endpoints and the server's channels have others. */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  isSubscribed(topic: string): boolean;
  /** To every subscriber but this one. How many. */
  publish(topic: string, message: Raw): number;
}

/** What a handshake is answered with. */
export interface Welcome<D = unknown> {
  readonly data?: D;
  readonly headers?: ConstructorParameters<typeof Headers>[0];
  /** One that the client asked for. Without it, the first of the client's that is among `protocols`. */
  readonly protocol?: string;
}

/** Each may be left out, and may be async. */
export interface EndpointHandlers<D = unknown> {
  /**
   * Decides on a handshake: `false` refuses it (403), a Response is the refusal itself, everything else lets the client in.
   * CommandError and Disconnect refuse in their own words.
   */
  upgrade?(request: Request, params: Params, context: { readonly address: string }): Awaitable<Welcome<D> | Answer>;
  /** Messages wait until it is done. */
  open?(socket: EndpointSocket<D>, request: Request): unknown;
  /** One at a time for each socket, in order, unless `concurrent`. */
  message?(socket: EndpointSocket<D>, message: Raw): unknown;
  /** After the last message is done. `code` is 1006 where neither side sent a close. */
  close?(socket: EndpointSocket<D>, code: number, reason: string): unknown;
  /** A handler threw; it is logged already. Without this the socket is closed (1011). */
  error?(socket: EndpointSocket<D>, error: unknown): unknown;
  /** A slow reader took what was waiting for it. */
  drain?(socket: EndpointSocket<D>): unknown;
  ping?(socket: EndpointSocket<D>, data: Uint8Array): unknown;
  pong?(socket: EndpointSocket<D>, data: Uint8Array): unknown;
  /** Ordinary HTTP at the endpoint's path. Without it, what is mounted gets that. */
  request?(request: Request, context: FetchContext & { readonly params: Params }): Awaitable<Response>;
  /** A handshake that came to nothing: refused, or the client was gone. */
  refused?(request: Request): unknown;
}

type Answer = Response | boolean | undefined | null;

/** Left out, the server's own settings count. */
export interface EndpointOptions {
  /** Sub-protocols it speaks. A client that asks for others only is refused (400). Without it, the client's first is granted. */
  readonly protocols?: readonly string[];
  /** Webpages that may connect, as in `allowedOrigins`. Clients without an Origin header may. */
  readonly origins?: readonly string[];
  /** Most sockets at a time; above it 503. They count among the connections of the process as well. */
  readonly maxSockets?: number;
  /** Largest message, in bytes, no more than `limits.frameBytes`; above it 1009. */
  readonly frameBytes?: number;
  /** Most bytes that wait for a slow reader, no more than `limits.outboundBufferBytes`; above it the socket is cut. */
  readonly outboundBufferBytes?: number;
  /** How far a reader may be behind, in seconds; above it the socket is cut. */
  readonly readerLagS?: number;
  /** Most messages per second; above it 1008. */
  readonly messagesPerSecond?: number;
  /** Most messages that wait for their turn, or are under way where `concurrent`; above it 1008. */
  readonly waitingMessages?: number;
  /** Most bytes of messages that wait for their turn; above it 1008. */
  readonly waitingBytes?: number;
  /** Silence after which the client is pinged, in seconds; without an answer within `pongTimeoutS` it is cut. */
  readonly idleTimeoutS?: number;
  readonly pongTimeoutS?: number;
  /** Does not wait for one message to be done before the next is handled. */
  readonly concurrent?: boolean;
}

export type EndpointDefinition<D = unknown> = EndpointHandlers<D> & EndpointOptions;

/** The sockets of an endpoint in this process. */
export interface EndpointSockets<D = unknown> extends Iterable<EndpointSocket<D>> {
  get(id: string): EndpointSocket<D> | undefined;
  count(): number;
}

export interface Endpoint<D = unknown> {
  readonly path: string;
  readonly sockets: EndpointSockets<D>;
  /** To every subscriber of the topic in this process. How many. */
  publish(topic: string, message: Raw): number;
  /** To every socket in this process. How many. */
  broadcast(message: Raw): number;
}
