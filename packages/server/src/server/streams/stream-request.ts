/** A request of a client that has no WebSocket. */

import type { Caller } from "../http/caller.ts";
import type { Route } from "../http/router.ts";
import type { HandshakeOptions } from "../websocket/listen-options.ts";

export interface StreamRequest {
  readonly request: Request;
  readonly url: URL;
  readonly listener: Parameters<Route>[2];
}

export function callerOf({ identify }: HandshakeOptions, { request, url, listener }: StreamRequest): Caller {
  return identify(request, url, listener.requestIP(request)?.address);
}
