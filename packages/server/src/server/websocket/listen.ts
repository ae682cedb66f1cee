/** The one place that opens Bun's server. */

import { chmodSync, lstatSync, rmSync } from "node:fs";
import type { TLSOptions } from "bun";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { barred } from "../../guards/ip.ts";
import { errorResponseFor } from "../../http/error-response.ts";
import { urlReader } from "../../http/request-url.ts";
import type { RequestHandler } from "../http/router.ts";
import {
  addressForbidden,
  badRequest,
  type Handshake,
  handleHandshake,
  handshakeForbidden,
  type PendingUsers,
  shuttingDown,
} from "./handshake.ts";
import { HandshakeQueue } from "./handshake-queue.ts";
import type { Listener, ListenOptions, SocketData } from "./listen-options.ts";
import { socketHandler } from "./socket-handler.ts";

/** Where to listen, with what, and to whom. */
export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
  readonly tls: TLSOptions[] | undefined;
  /** Whether it is the clients' port, and not that of the API: WebSockets are opened there only. */
  readonly acceptsWebSockets: boolean;
}

/** Throws what Bun throws: EADDRINUSE, EACCES. */
export function listen(options: ListenOptions, address: ListenAddress): Listener {
  const { hostname, port, tls } = address;
  const { config, hub } = options;
  const pendingUsers: PendingUsers = new WeakMap();
  const dispatch = dispatcher(options, address, pendingUsers);
  const isLocal = isUnixSocketPath(hostname);
  const where: object = isLocal ? { unix: hostname } : { hostname, port, reusePort: options.sharesPort === true };
  const listener = Bun.serve<SocketData>({
    ...where,
    // The API limits bodies itself, because Bun's error has no message. Bun keeps no body that is not read.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // Ends bodies that take longer, and connections without another request. Bun counts in whole seconds up to 255, and gives
    // the headers of a request, or the silence before them, ten of its own that cannot be set.
    idleTimeout: Math.min(255, Math.max(1, Math.ceil(config.limits.handshakeTimeoutS))),
    ...(tls && { tls }),
    fetch(request, server) {
      const phase = options.drainPhase();
      if (phase === undefined) return dispatch(request, server);
      return closingConnection(phase === "last" ? dispatch(request, server) : shuttingDown());
    },
    error(error) {
      hub.observe({ type: "failed", error, during: "an HTTP request" });
      return errorResponseFor(error);
    },
    websocket: socketHandler(options, pendingUsers),
  });
  // As for a port: any user of this machine may connect, unless the folder keeps him out.
  if (isLocal) chmodSync(hostname, 0o666);
  return listener;
}

const NO_HOST = "The Host header is not a host.";

type Dispatch = (request: Request, server: Listener) => Awaitable<Response | undefined>;

/** Tells handshakes from requests, and rejects barred addresses. */
function dispatcher(
  options: ListenOptions,
  { acceptsWebSockets }: ListenAddress,
  pendingUsers: PendingUsers,
): Dispatch {
  const { hub } = options;
  const queue = new HandshakeQueue(hub.clock);
  const readUrl = urlReader();
  // Asked each time: a reload brings others.
  const handle: RequestHandler = (request, url, server) =>
    (acceptsWebSockets ? options.handleRequest : options.handleApi)(request, url, server);
  const answer = (request: Request, server: Listener) => {
    const url = readUrl(request);
    if (!url) return badRequest(NO_HOST);
    // The caller of the API matters only where addresses are listed.
    if (!options.barrier) return handle(request, url, server);
    const caller = options.identify(request, url, server);
    const setting = options.barrier(caller.address);
    if (setting) return addressForbidden(hub, request, url, caller, barred(setting));
    return handle(request, url, server);
  };
  return (request, server) => {
    // Each header that is read costs a call of the API a hundredth, and a handshake is always a GET.
    const isHandshake = request.method === "GET" && request.headers.get("upgrade")?.toLowerCase() === "websocket";
    if (!isHandshake) return answer(request, server);
    const url = readUrl(request);
    if (!url) return badRequest(NO_HOST);
    const caller = options.identify(request, url, server);
    const setting = options.barrier?.(caller.address);
    if (setting) return handshakeForbidden(hub, caller, barred(setting));
    if (!acceptsWebSockets) return badRequest("This port is for the HTTP API, and takes no WebSockets.");
    const handshake = { request, url, caller, server, isOpen: false };
    const turn = queue.waitForTurn();
    if (!turn) return handleHandshake(options, pendingUsers, handshake);
    return handleInTurn(turn, options, pendingUsers, handshake);
  };
}

async function handleInTurn(
  turn: Promise<void>,
  options: ListenOptions,
  pendingUsers: PendingUsers,
  handshake: Handshake,
): Promise<Response | undefined> {
  await turn;
  return handleHandshake(options, pendingUsers, handshake);
}

/** A client that keeps its connection opens another one for its next request, and comes to another server. */
async function closingConnection(answering: Awaitable<Response | undefined>): Promise<Response | undefined> {
  const answer = await answering;
  try {
    answer?.headers.set("Connection", "close");
  } catch {
    // A program may return an answer that cannot be changed.
  }
  return answer;
}

/** Where there is a Unix socket in place of a port: removes that of a process that died, which would be in the way of the next one. Where a process listens, it stays. */
export async function removeStaleSocket(host: string): Promise<void> {
  if (!isUnixSocketPath(host) || !lstatSync(host, { throwIfNoEntry: false })?.isSocket()) return;
  if (!(await isListening(host))) rmSync(host, { force: true });
}

async function isListening(unix: string): Promise<boolean> {
  try {
    (await Bun.connect({ unix, socket: { data() {} } })).end();
    return true;
  } catch (error) {
    // Without the permission to connect, it counts as taken.
    return error instanceof Error && "code" in error && error.code !== "ECONNREFUSED" && error.code !== "ENOENT";
  }
}
