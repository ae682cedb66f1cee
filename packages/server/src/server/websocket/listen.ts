/** The one place that opens Bun's server: requests told from handshakes, and strangers turned away. */

import type { TLSOptions } from "bun";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import type { Connection } from "../../domain/connection.ts";
import type { User } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { barred } from "../../guards/ip.ts";
import { errorResponseFor } from "../../http/error-response.ts";
import { addressForbidden, badRequest, handshakeForbidden, shuttingDown } from "../http/rejections.ts";
import { handleHandshake } from "./handshake.ts";
import { HandshakeQueue } from "./handshake-queue.ts";
import type { Listener, ListenOptions, SocketData } from "./listen-options.ts";
import { socketHandler } from "./socket-handler.ts";
import { allowEveryUser } from "./unix-socket.ts";

export type { Listener, ListenOptions, SocketData } from "./listen-options.ts";

/** Where to listen, with what, and to whom. */
export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
  readonly tls: TLSOptions[] | undefined;
  /** Whether WebSockets are opened here. */
  readonly acceptsWebSockets: boolean;
}

/** Throws what Bun throws: EADDRINUSE, EACCES. */
export function listen(options: ListenOptions, { hostname, port, tls, acceptsWebSockets }: ListenAddress): Listener {
  const { config, hub } = options;
  const arriving = new WeakMap<Connection, User>();
  const queue = new HandshakeQueue(hub.clock);
  const take = (request: Request, server: Listener): Awaitable<Response | undefined> => {
    const url = parseUrl(request);
    if (!url) return badRequest("The Host header is not a host.");
    // Each header read costs a call of the API a hundredth, and a handshake is always a GET.
    const isHandshake = request.method === "GET" && request.headers.get("upgrade")?.toLowerCase() === "websocket";
    // Who calls the API matters only where addresses are listed.
    if (!isHandshake && !options.barrier) return options.handleRequest(request, url, server);
    const caller = options.identify(request, url, server.requestIP(request)?.address);
    const setting = options.barrier?.(caller.address);
    if (setting && isHandshake) return handshakeForbidden(hub, caller, barred(setting));
    if (setting) return addressForbidden(hub, request, url, caller, barred(setting));
    if (isHandshake && !acceptsWebSockets) return badRequest("This port is for the HTTP API, and takes no WebSockets.");
    if (!isHandshake) return options.handleRequest(request, url, server);
    const knock = { request, url, caller, server };
    const turn = queue.waitForTurn();
    return turn
      ? turn.then(() => handleHandshake(options, arriving, knock))
      : handleHandshake(options, arriving, knock);
  };
  const isLocal = isUnixSocketPath(hostname);
  const where: object = isLocal ? { unix: hostname } : { hostname, port, reusePort: options.sharesPort === true };
  const listener = Bun.serve<SocketData>({
    ...where,
    // The API limits bodies itself, because Bun's refusal has no words. What nobody reads, Bun does not keep.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // Ends bodies that take longer and connections that ask nothing more. Bun counts in whole seconds up to 255, and gives
    // the headers of a request, or the silence before them, ten of its own that cannot be set.
    idleTimeout: Math.min(255, Math.max(1, Math.ceil(config.limits.handshakeTimeoutS))),
    ...(tls && { tls }),
    fetch(request, server) {
      const departure = options.drainPhase();
      if (departure === undefined) return take(request, server);
      return closeAfter(departure === "last" ? take(request, server) : shuttingDown());
    },
    error(error) {
      hub.observe({ type: "failed", error, during: "an HTTP request" });
      return errorResponseFor(error);
    },
    websocket: socketHandler(options, arriving),
  });
  if (isLocal) allowEveryUser(hostname);
  return listener;
}

/** Whoever calls on connections that it keeps opens another one next time, and comes to another server. */
async function closeAfter(answering: Awaitable<Response | undefined>): Promise<Response | undefined> {
  const answer = await answering;
  try {
    answer?.headers.set("Connection", "close");
  } catch {
    // A program may hand on an answer that cannot be changed.
  }
  return answer;
}

/** HTTP/1.0 needs no Host header, and then the address is only a path. */
function parseUrl(request: Request): URL | null {
  return URL.parse(request.url) ?? (request.headers.has("host") ? null : URL.parse(request.url, "http://localhost"));
}
