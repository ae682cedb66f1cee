/** How frames travel: the seam between the connection and a WebSocket, or whatever stands in for one. */

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocket;

export interface TransportRequest {
  /** `wss:` or `ws:`, with path prefix and query. */
  readonly url: string;
  /** The option of that name. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Those before it in the list. */
  readonly better?: readonly Transport[];
  /** Every call comes after `open` returned; none after `onClose`. */
  onOpen(): void;
  onFrame(text: string): void;
  /** 1006 if it never opened or broke off. */
  onClose(code: number, reason: string): void;
  /** The first of those before it works here again. The client changes to it as soon as nothing is lost by that, and closes this one. */
  onBetter?(): void;
}

export interface TransportSocket {
  send(text: string): void;
  /** No call of the request's comes after it. */
  close(code?: number): void;
}

export interface Transport {
  readonly name: string;
  /** Whether it can work here at all. `WebSocket` is the client's option of that name. */
  isSupported(WebSocket?: WebSocketConstructor): boolean;
  /** Whether it was this one that worked here the last time: then it is tried first. */
  worked?(): boolean;
  open(request: TransportRequest): TransportSocket;
}
