/** A WebSocket handshake: whose it is, whether there is room, and what becomes of it. */

import type { Connection, Transport } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { User } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { errorResponse, errorResponseFor, HttpError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { Hub } from "../../hub/hub.ts";
import { apiErrorResponse } from "../../protocols/pusher/responses.ts";
import type { EndpointMatch } from "../endpoints/endpoint-registry.ts";
import type { Caller } from "../http/caller.ts";
import { type AdmittedClient, admit, type RejectedClient, rejectionFor } from "./admission.ts";
import type { HandshakeOptions, Listener, SocketData } from "./listen-options.ts";

export interface Handshake {
  readonly request: Request;
  url: RequestUrl;
  readonly caller: Caller;
  readonly server: Pick<Listener, "upgrade">;
  /** Of requests that are answered bit by bit in place of a WebSocket: no endpoint of the program has such clients. */
  readonly transport?: Transport;
  /** It has become a WebSocket: with an open socket, its end is what counts it no longer. */
  isOpen: boolean;
}

/** Users that a guard authenticated, until their connection is open. */
export type PendingUsers = WeakMap<Connection, User>;

/** Undefined where it has become a WebSocket, if only to send the reason why not. */
export function handleHandshake(
  options: HandshakeOptions,
  pendingUsers: PendingUsers,
  handshake: Handshake,
): Awaitable<Response | undefined> {
  const { hub, ipConnectionLimiter } = options;
  const { request, url } = handshake;
  const { address } = handshake.caller;
  if (options.isDraining()) return shuttingDown();
  const waitS = ipConnectionLimiter.acquire(address);
  if (waitS !== undefined) return tooManyConnections(hub, address, waitS, ipConnectionLimiter.messageFor(address));
  const decision = options.dashboard.isLive(url)
    ? connectDashboard(options, handshake)
    : unlessAborted(request, decide(options, pendingUsers, handshake), handshake);
  return decision instanceof Promise
    ? uncountLater(options, address, decision)
    : uncountUnlessOpen(options, address, decision);
}

async function uncountLater(
  options: HandshakeOptions,
  address: string,
  decision: Promise<Response | undefined>,
): Promise<Response | undefined> {
  return uncountUnlessOpen(options, address, await decision);
}

/** Gives its address's place back where it has not become a WebSocket. */
function uncountUnlessOpen(
  { ipConnectionLimiter }: HandshakeOptions,
  address: string,
  answer: Response | undefined,
): Response | undefined {
  if (answer) ipConnectionLimiter.release(address);
  return answer;
}

/** Whether it becomes a WebSocket, of the hub or of an endpoint: the program's middleware has its say first. */
function decide(
  options: HandshakeOptions,
  pendingUsers: PendingUsers,
  handshake: Handshake,
): Awaitable<Response | undefined> {
  const match = handshake.transport ? undefined : options.endpoints.findForSocket(handshake.url);
  if (options.middleware.handshake) return runMiddleware(options, pendingUsers, match, handshake);
  return connect(options, pendingUsers, match, handshake);
}

function connect(
  options: HandshakeOptions,
  pendingUsers: PendingUsers,
  match: EndpointMatch | undefined,
  handshake: Handshake,
): Awaitable<Response | undefined> {
  return match ? connectEndpoint(options, match, handshake) : connectClient(options, pendingUsers, handshake);
}

/** What the program's middleware throws or returns after the socket is open comes too late. */
async function runMiddleware(
  options: HandshakeOptions,
  pendingUsers: PendingUsers,
  match: EndpointMatch | undefined,
  context: Handshake,
): Promise<Response | undefined> {
  const { middleware, admission, hub } = options;
  const { request, url, caller } = context;
  let isOpen = false;
  try {
    // What the program changes in it is what the server then goes by.
    const own = new URL(url.href);
    context.url = own;
    const info = { request, url: own, address: caller.address, endpoint: match?.endpoint.path };
    const answer = await middleware.handshake?.(info, async () => {
      const rejected = await connect(options, pendingUsers, match, context);
      isOpen = rejected === undefined;
      return rejected;
    });
    return isOpen ? undefined : answer;
  } catch (error) {
    const rejection = rejectionFor(admission, url, caller, error);
    if (isOpen) return undefined;
    if (!match) return upgrade(context, rejection);
    hub.observe({ type: "rejected", address: caller.address, why: rejection.reason });
    match.endpoint.refused(request);
    return errorResponseFor(error);
  }
}

/** A client of the hub. */
function connectClient(
  options: HandshakeOptions,
  pendingUsers: PendingUsers,
  context: Handshake,
): Awaitable<Response | undefined> {
  const result = admit(options.admission, context);
  return result instanceof Promise
    ? openLater(options, pendingUsers, context, result)
    : openSocketFor(options, pendingUsers, context, result);
}

async function openLater(
  options: HandshakeOptions,
  pendingUsers: PendingUsers,
  context: Handshake,
  result: Promise<AdmittedClient | RejectedClient>,
): Promise<Response | undefined> {
  return openSocketFor(options, pendingUsers, context, await result);
}

function openSocketFor(
  { hub }: HandshakeOptions,
  pendingUsers: PendingUsers,
  context: Handshake,
  result: AdmittedClient | RejectedClient,
): Response | undefined {
  if (!("connection" in result)) return upgrade(context, result);
  const { connection, user } = result;
  if (user) pendingUsers.set(connection, user);
  const answer = upgrade(context, connection);
  if (answer) hub.quotas.releaseConnection(connection);
  return answer;
}

/** A dashboard's live connection passes no middleware of the program, and always finds room: its ticket admits it. */
async function connectDashboard(
  { dashboard, admission }: HandshakeOptions,
  context: Handshake,
): Promise<Response | undefined> {
  const { url, caller } = context;
  let data: Connection | RejectedClient;
  try {
    data = await dashboard.admit(url, caller.address, admission.newId());
  } catch (error) {
    data = rejectionFor({ ...admission, pusher: admission.native }, url, caller, error);
  }
  return upgrade(context, data);
}

/** A client of one of the program's endpoints. */
async function connectEndpoint(
  options: HandshakeOptions,
  match: EndpointMatch,
  context: Handshake,
): Promise<Response | undefined> {
  const { endpoint } = match;
  const answer = await acceptAtEndpoint(options, match, context);
  if (!answer) return undefined;
  const why = new Disconnect("unauthorized", `The endpoint ${endpoint.path} answered ${answer.status}.`);
  options.hub.observe({ type: "rejected", address: context.caller.address, why });
  endpoint.refused(context.request);
  return answer;
}

async function acceptAtEndpoint(
  { capacityError, isDraining }: HandshakeOptions,
  { endpoint, params }: EndpointMatch,
  context: Handshake,
): Promise<Response | undefined> {
  const { request, caller } = context;
  const full = capacityError();
  if (full) return errorResponseFor(full);
  const accepted = await unlessAborted(request, endpoint.accept(request, params, caller.address));
  if (accepted instanceof Response) return accepted;
  // While the program decided, other clients came, or the server began to stop.
  if (isDraining()) return shuttingDown();
  const why = capacityError() ?? endpoint.full;
  if (why) return errorResponseFor(why);
  return upgrade(context, accepted.connection, accepted.headers);
}

/** Undefined where it is a WebSocket now. */
function upgrade(handshake: Handshake, data: SocketData, headers?: HeadersInit): Response | undefined {
  const { server, request } = handshake;
  handshake.isOpen = server.upgrade(request, headers ? { data, headers } : { data });
  return handshake.isOpen ? undefined : badRequest(INVALID_HANDSHAKE);
}

/** A client that hangs up is counted no longer, even if the program never decides; with an open socket, its end does that. */
function unlessAborted<T>(
  request: Request,
  decision: Awaitable<T>,
  handshake?: Pick<Handshake, "isOpen">,
): Awaitable<T | Response> {
  // A request's signal costs a tenth of a handshake: only where there is anything to wait for.
  return decision instanceof Promise ? beforeAbort(request, decision, handshake) : decision;
}

async function beforeAbort<T>(
  { signal }: Request,
  decision: Promise<T>,
  handshake?: Pick<Handshake, "isOpen">,
): Promise<T | Response> {
  const aborted = Promise.withResolvers<Response>();
  const abort = () => (handshake?.isOpen ? undefined : aborted.resolve(badRequest(INVALID_HANDSHAKE)));
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([decision, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

const INVALID_HANDSHAKE = "This is not a valid WebSocket handshake.";

/** In HTTP: a flood is not worth a WebSocket, and clients take a refused handshake for a reason to try later. */
function tooManyConnections(hub: Hub, address: string, waitS: number, message: string): Response {
  hub.observe({ type: "rejected", address, why: new Disconnect("flooded", message) });
  return errorResponse(429, "flooded", message, { "Retry-After": String(waitS) });
}

export function addressForbidden(
  hub: Hub,
  request: Request,
  url: RequestUrl,
  { address }: Caller,
  message: string,
): Response {
  return apiErrorResponse(hub, { request, url, from: () => address }, new HttpError(403, "forbidden", message));
}

export function handshakeForbidden(hub: Hub, { address }: Caller, message: string): Response {
  hub.observe({ type: "rejected", address, why: new Disconnect("unauthorized", message) });
  return errorResponse(403, "forbidden", message);
}

export function badRequest(message: string): Response {
  return errorResponse(400, "malformed", message);
}

export function shuttingDown(): Response {
  return errorResponse(503, "shutdown", "The server is shutting down; connect again.");
}
