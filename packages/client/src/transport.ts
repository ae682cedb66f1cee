/** How frames travel: the seam between the connection and a WebSocket, or whatever stands in for one. */

export interface TransportRequest {
  /** `wss:` or `ws:`, with path prefix and query. */
  readonly url: string;
  /** Every call comes after `open` returned; none after `onClose`. */
  onOpen(): void;
  onFrame(text: string): void;
  /** 1006 if it never opened or broke off. */
  onClose(code: number, reason: string): void;
}

export interface TransportSocket {
  send(text: string): void;
  /** No call of the request's comes after it. */
  close(code?: number): void;
}

export interface Transport {
  readonly name: string;
  /** Whether it can work here at all. */
  isSupported(): boolean;
  open(request: TransportRequest): TransportSocket;
}
