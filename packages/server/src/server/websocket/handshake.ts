/** A WebSocket handshake: whose it is, whether there is room, and what becomes of it. */

import type { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { User } from "../../domain/message.ts";
import { errorResponseFor } from "../../http/error-response.ts";
import type { EndpointMatch } from "../endpoints/endpoint-registry.ts";
import type { Caller } from "../http/caller.ts";
import { badRequest, shuttingDown, tooManyConnections } from "../http/rejections.ts";
import { admit, type RejectedClient, rejectionFor } from "./admission.ts";
import type { Listener, ListenOptions } from "./listen-options.ts";

/** One handshake on its way through the door. */
export interface HandshakeContext {
  readonly request: Request;
  readonly url: URL;
  readonly caller: Caller;
  readonly server: Pick<Listener, "upgrade">;
}

/** Undefined where it has become a WebSocket, if only to be told why not. */
export async function handleHandshake(
  options: ListenOptions,
  arriving: WeakMap<Connection, User>,
  knock: HandshakeContext,
): Promise<Response | undefined> {
  const { hub, ipConnectionLimiter, endpoints, middleware } = options;
  const { caller, url } = knock;
  if (options.isDraining()) return shuttingDown();
  const waitS = ipConnectionLimiter.acquire(caller.address);
  if (waitS !== undefined)
    return tooManyConnections(hub, caller, waitS, ipConnectionLimiter.messageFor(caller.address));
  if (options.dashboard.isLive(url)) return connectDashboard(options, knock);
  const found = endpoints.findForSocket(url);
  let isOpen = false;
  const server: HandshakeContext["server"] = {
    upgrade: (...given) => {
      isOpen = knock.server.upgrade(...given);
      return isOpen;
    },
  };
  const here = { ...knock, server };
  const enter = () => (found ? connectEndpoint(options, found, here) : connectClient(options, arriving, here));
  const decision = middleware.handshake ? runMiddleware(options, found, here, enter) : enter();
  const answer = await unlessAborted(knock.request, decision, () => isOpen);
  if (answer) ipConnectionLimiter.release(caller.address);
  return answer;
}

/** Through what the program puts around handshakes. What it throws or returns after the socket is open comes too late. */
async function runMiddleware(
  options: ListenOptions,
  found: EndpointMatch | undefined,
  { request, url, caller, server }: HandshakeContext,
  enter: () => Promise<Response | undefined>,
): Promise<Response | undefined> {
  let isOpen = false;
  const arrival = { request, url, address: caller.address, endpoint: found?.endpoint.path };
  try {
    const answer = await options.middleware.handshake?.(arrival, async () => {
      const refused = await enter();
      isOpen = refused === undefined;
      return refused;
    });
    return isOpen ? undefined : answer;
  } catch (error) {
    const data = rejectionFor(options.admission, url, caller, error);
    if (isOpen) return undefined;
    if (!found) return server.upgrade(request, { data }) ? undefined : badRequest(NO_HANDSHAKE);
    options.hub.observe({ type: "rejected", address: caller.address, why: data.reason });
    found.endpoint.refused(request);
    return errorResponseFor(error);
  }
}

/** A client of the hub. Why not, the protocols want told over an open WebSocket. */
async function connectClient(
  options: ListenOptions,
  arriving: WeakMap<Connection, User>,
  { request, url, caller, server }: HandshakeContext,
): Promise<Response | undefined> {
  const admission = await admit(options.admission, request, url, caller);
  const data = "connection" in admission ? admission.connection : admission;
  if ("connection" in admission && admission.user) arriving.set(admission.connection, admission.user);
  if (server.upgrade(request, { data })) return undefined;
  if ("connection" in admission) options.hub.quotas.releaseConnection(admission.connection);
  return badRequest(NO_HANDSHAKE);
}

/** A dashboard's live connection: nothing of it is the program's, and whoever may come by its ticket finds room. */
async function connectDashboard(
  options: ListenOptions,
  { request, url, caller, server }: HandshakeContext,
): Promise<Response | undefined> {
  const { dashboard, newId, ipConnectionLimiter } = options;
  let data: Connection | RejectedClient;
  try {
    data = await dashboard.admit(url, caller.address, newId());
  } catch (error) {
    data = rejectionFor({ ...options.admission, pusher: options.admission.native }, url, caller, error);
  }
  if (server.upgrade(request, { data })) return undefined;
  ipConnectionLimiter.release(caller.address);
  return badRequest(NO_HANDSHAKE);
}

/** A client of one of the program's endpoints. */
async function connectEndpoint(
  { hub, capacityError, isDraining }: ListenOptions,
  { endpoint, params }: EndpointMatch,
  { request, caller: { address }, server }: HandshakeContext,
): Promise<Response | undefined> {
  const isFull = capacityError();
  const admitted = isFull
    ? errorResponseFor(isFull)
    : await unlessAborted(request, endpoint.accept(request, params, address));
  let answer = admitted instanceof Response ? admitted : undefined;
  // While the program was making up its mind, others came, or the server began to stop.
  if (!answer && isDraining()) answer = shuttingDown();
  const why = capacityError() ?? endpoint.full;
  if (!answer && why) answer = errorResponseFor(why);
  if (!answer && !(admitted instanceof Response)) {
    const { connection: data, headers } = admitted;
    if (server.upgrade(request, { data, headers })) return undefined;
    answer = badRequest(NO_HANDSHAKE);
  }
  const told = new Disconnect("unauthorized", `The endpoint ${endpoint.path} answered ${answer?.status}.`);
  hub.observe({ type: "rejected", address, why: told });
  endpoint.refused(request);
  return answer;
}

/** Who hangs up gives its place back, even if the program never makes up its mind; with a socket, by closing that. */
async function unlessAborted<T>(
  { signal }: Request,
  decision: Promise<T>,
  isOpen: () => boolean = () => false,
): Promise<T | Response> {
  const gone = Promise.withResolvers<Response>();
  const hangUp = () => (isOpen() ? undefined : gone.resolve(badRequest(NO_HANDSHAKE)));
  signal.addEventListener("abort", hangUp);
  try {
    return await Promise.race([decision, gone.promise]);
  } finally {
    signal.removeEventListener("abort", hangUp);
  }
}

const NO_HANDSHAKE = "This is not a valid WebSocket handshake.";
