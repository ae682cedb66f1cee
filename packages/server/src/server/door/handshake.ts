/** A WebSocket handshake: whose it is, whether there is room, and what becomes of it. */

import type { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { User } from "../../domain/message.ts";
import type { Found } from "../endpoints/endpoints.ts";
import type { Caller } from "./address.ts";
import { admit, type TurnedAway, turnedAway } from "./admission.ts";
import { badRequest, refusal, tooMany, unavailable } from "./refusals.ts";
import type { Listener, ListenOptions } from "./threshold.ts";

/** One handshake on its way through the door. */
export interface Knock {
  readonly request: Request;
  readonly url: URL;
  readonly caller: Caller;
  readonly server: Pick<Listener, "upgrade">;
}

/** Undefined where it has become a WebSocket, if only to be told why not. */
export async function upgrade(
  options: ListenOptions,
  arriving: WeakMap<Connection, User>,
  knock: Knock,
): Promise<Response | undefined> {
  const { hub, turnstile, endpoints, middleware } = options;
  const { caller, url } = knock;
  if (options.isDraining()) return unavailable();
  const waitS = turnstile.enter(caller.address);
  if (waitS !== undefined) return tooMany(hub, caller, waitS, turnstile.refusal(caller.address));
  if (options.panel.isLive(url)) return watch(options, knock);
  const found = endpoints.findForSocket(url);
  let isOpen = false;
  const server: Knock["server"] = {
    upgrade: (...given) => {
      isOpen = knock.server.upgrade(...given);
      return isOpen;
    },
  };
  const here = { ...knock, server };
  const enter = () => (found ? seat(options, found, here) : connect(options, arriving, here));
  const decision = middleware.handshake ? pass(options, found, here, enter) : enter();
  const answer = await unlessGone(knock.request, decision, () => isOpen);
  if (answer) turnstile.leave(caller.address);
  return answer;
}

/** Through what the program puts around handshakes. What it throws or returns after the socket is open comes too late. */
async function pass(
  options: ListenOptions,
  found: Found | undefined,
  { request, url, caller, server }: Knock,
  enter: () => Promise<Response | undefined>,
): Promise<Response | undefined> {
  let isOpen = false;
  const arrival = { request, url, address: caller.address, endpoint: found?.site.path };
  try {
    const answer = await options.middleware.handshake?.(arrival, async () => {
      const refused = await enter();
      isOpen = refused === undefined;
      return refused;
    });
    return isOpen ? undefined : answer;
  } catch (error) {
    const data = turnedAway(options.admission, url, caller, error);
    if (isOpen) return undefined;
    if (!found) return server.upgrade(request, { data }) ? undefined : badRequest(NO_HANDSHAKE);
    options.hub.observe({ type: "rejected", address: caller.address, why: data.why });
    found.site.refused(request);
    return refusal(error);
  }
}

/** A client of the hub. Why not, the protocols want told over an open WebSocket. */
async function connect(
  options: ListenOptions,
  arriving: WeakMap<Connection, User>,
  { request, url, caller, server }: Knock,
): Promise<Response | undefined> {
  const admission = await admit(options.admission, request, url, caller);
  const data = "connection" in admission ? admission.connection : admission;
  if ("connection" in admission && admission.user) arriving.set(admission.connection, admission.user);
  if (server.upgrade(request, { data })) return undefined;
  if ("connection" in admission) options.hub.quotas.releaseConnection(admission.connection);
  return badRequest(NO_HANDSHAKE);
}

/** A dashboard's live connection: nothing of it is the program's, and whoever may come by its ticket finds room. */
async function watch(options: ListenOptions, { request, url, caller, server }: Knock): Promise<Response | undefined> {
  const { panel, newId, turnstile } = options;
  let data: Connection | TurnedAway;
  try {
    data = await panel.admit(url, caller.address, newId());
  } catch (error) {
    data = turnedAway({ ...options.admission, pusher: options.admission.native }, url, caller, error);
  }
  if (server.upgrade(request, { data })) return undefined;
  turnstile.leave(caller.address);
  return badRequest(NO_HANDSHAKE);
}

/** A client of one of the program's endpoints. */
async function seat(
  { hub, full, isDraining }: ListenOptions,
  { site, params }: Found,
  { request, caller: { address }, server }: Knock,
): Promise<Response | undefined> {
  const isFull = full();
  const admitted = isFull ? refusal(isFull) : await unlessGone(request, site.admit(request, params, address));
  let answer = admitted instanceof Response ? admitted : undefined;
  // While the program was making up its mind, others came, or the server began to stop.
  if (!answer && isDraining()) answer = unavailable();
  const why = full() ?? site.full;
  if (!answer && why) answer = refusal(why);
  if (!answer && !(admitted instanceof Response)) {
    const { seat: data, headers } = admitted;
    if (server.upgrade(request, { data, headers })) return undefined;
    answer = badRequest(NO_HANDSHAKE);
  }
  const told = new Disconnect("unauthorized", `The endpoint ${site.path} answered ${answer?.status}.`);
  hub.observe({ type: "rejected", address, why: told });
  site.refused(request);
  return answer;
}

/** Who hangs up gives its place back, even if the program never makes up its mind; with a socket, by closing that. */
async function unlessGone<T>(
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
