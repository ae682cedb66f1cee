/** The edge as the core sees it: a socket, a way to fan out, and a protocol that turns frames into values and back. */

import type { Disconnect } from "./error.ts";
import type { CloseFrame, Command, Push, SessionInfo } from "./message.ts";

export type Frame = string | Uint8Array;

/** The shape of Bun's `ServerWebSocket`, so that the core needs no wrapper round it. */
export interface Socket {
  /** Only of a socket that is made of several requests, where its protocol says of them. */
  readonly session?: SessionInfo | undefined;
  send(frame: string): unknown;
  close(code?: number, reason?: string): void;
  terminate(): void;
  ping(data?: string): unknown;
  getBufferedAmount(): number;
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  isSubscribed(topic: string): boolean;
  /** To every subscriber of the topic but this socket. */
  publish(topic: string, frame: string): unknown;
  /** What is sent while it runs goes out together. */
  cork(run: () => void): unknown;
  /** Reads nothing until `resume`. Meanwhile the peer's end is not seen either. */
  pause(): void;
  resume(): void;
}

/** The frames of one connection that wait for their turn. */
export interface FrameQueue {
  readonly size: number;
  readonly bytes: number;
  /** Whether what comes has to wait. */
  readonly hasPending: boolean;
  add(frame: Frame, bytes: number): void;
  /** Reads nothing for a while, for work that could not wait. */
  rest(nowMs: number): void;
  /** What it waited for is done. */
  drain(): void;
  close(): void;
}

/** The shape of Bun's `Server`, as far as fanning out goes. */
export interface TopicWriter {
  publish(topic: string, frame: string): unknown;
  /** Whether the topic's sockets are of several servers or kinds: then a socket's own publish does not reach all the others. */
  isScattered?(topic: string): boolean;
}

/** The same, which may hold back what it is given. */
export interface Fanout extends Pick<TopicWriter, "isScattered"> {
  publish(topic: string, frame: string, readers: number): unknown;
  /** Writes what it holds back of the topic. To be called before the topic's subscribers change, or anything else is published to them. */
  flush?(topic: string): void;
  /** Writes what it holds back for that socket. To be called before anything is sent to the socket alone. */
  flushFor?(socket: Socket): void;
}

/** Turns frames into commands and pushes into frames. Decides nothing, keeps nothing. */
export interface Protocol {
  readonly name: string;
  /** Where some of its clients get other frames than the rest: which these are. The name is that of them all. */
  readonly variant?: string;
  /** Whether a signed-in client is put into its user's own channel without asking for it. */
  readonly joinsUserChannel: boolean;
  /** Whether its clients then subscribe to that channel all the same, and wait for the answer. */
  readonly asksForUserChannel: boolean;
  /** Whether a client may show a token when it connects. In other protocols such a header is not for the server. */
  readonly acceptsTokens: boolean;
  /** Whether its clients come back to a channel at their position, and are sent what they missed, where the channel has history. */
  readonly recovers?: true;
  /** Throws CommandError where the frame is not one of the protocol's. */
  decode(frame: Frame): Command;
  /** Undefined where the protocol has no frame for it. */
  encode(push: Push): string | undefined;
  encodeClose(why: Disconnect): CloseFrame;
  /** Whether clients would take a publication of this name for one of the server's own. Not asked about names that begin with `client-`: those are clients' in every protocol. */
  reservesEvent(event: string, fromClient: boolean): boolean;
}
