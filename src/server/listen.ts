/** The one place that touches Bun's server: sockets in, handshakes decided, frames handed to the hub. */

import type { Server as BunServer, ServerWebSocket, TLSOptions, WebSocketHandler } from "bun";
import type { Config } from "../config/schema.ts";
import type { Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { User } from "../domain/message.ts";
import type { Turnstile } from "../guards/rate.ts";
import { arrive } from "../hub/arrive.ts";
import { heed, receive } from "../hub/execute.ts";
import type { Hub } from "../hub/hub.ts";
import type { Caller, Identify } from "./address.ts";
import { type AdmissionOptions, admit, type TurnedAway } from "./admission.ts";
import type { Answer } from "./routes.ts";

export type SocketData = Connection | TurnedAway;
export type Listener = BunServer<SocketData>;

export interface ListenOptions {
  readonly config: Config;
  readonly hub: Hub;
  readonly admission: AdmissionOptions;
  readonly identify: Identify;
  /** Undefined where every address may come. */
  readonly mayCome: ((address: string) => boolean) | undefined;
  /** Asked at the last moment: while a client was let in, the configuration may have become another. */
  readonly verdict: (connection: Connection) => Disconnect | undefined;
  readonly turnstile: Turnstile;
  readonly isDraining: () => boolean;
  /** Ordinary HTTP. */
  readonly answer: Answer;
}

/** Where to listen, with what, and to whom. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
  readonly tls: TLSOptions[] | undefined;
  /** Whether WebSockets are opened here. */
  readonly takesClients: boolean;
}

/** Throws what Bun throws: EADDRINUSE, EACCES. */
export function listen(options: ListenOptions, { hostname, port, tls, takesClients }: Place): Listener {
  const { config, hub } = options;
  const arriving = new WeakMap<Connection, User>();
  return Bun.serve<SocketData>({
    hostname,
    port,
    // The API limits bodies itself, because Bun's refusal has no words. What nobody reads, Bun does not keep.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // Ends bodies that take longer and connections that ask nothing more. Bun counts in whole seconds up to 255, and gives
    // the headers of a request, or the silence before them, ten of its own that cannot be set.
    idleTimeout: Math.min(255, Math.max(1, Math.ceil(config.limits.handshakeTimeoutS))),
    ...(tls && { tls }),
    fetch(request, server) {
      const url = addressOf(request);
      if (!url) return badRequest("The Host header is not a host.");
      // Each header read costs a call of the API a hundredth, and a handshake is always a GET.
      const isHandshake = request.method === "GET" && request.headers.get("upgrade")?.toLowerCase() === "websocket";
      // Who calls the API matters only where addresses are listed.
      if (!isHandshake && !options.mayCome) return options.answer(request, url, server);
      const caller = options.identify(request, url, server.requestIP(request)?.address);
      if (options.mayCome?.(caller.address) === false) return forbidden(hub, caller, isHandshake);
      if (isHandshake && !takesClients) return badRequest("This port is for the HTTP API, and takes no WebSockets.");
      return isHandshake
        ? upgrade(options, arriving, request, url, caller, server)
        : options.answer(request, url, server);
    },
    error(error) {
      hub.observe({ type: "failed", error, during: "an HTTP request" });
      return Response.json({ error: "Something went wrong on the server.", code: "internal" }, { status: 500 });
    },
    websocket: socketHandler(options, arriving),
  });
}

async function upgrade(
  options: ListenOptions,
  arriving: WeakMap<Connection, User>,
  request: Request,
  url: URL,
  caller: Caller,
  server: Listener,
): Promise<Response | undefined> {
  if (options.isDraining()) return unavailable();
  const waitS = options.turnstile.enter(caller.address);
  if (waitS !== undefined) return tooMany(options.hub, caller, waitS);
  const admission = await admit(options.admission, request, url, caller);
  const data = "connection" in admission ? admission.connection : admission;
  if ("connection" in admission && admission.user) arriving.set(admission.connection, admission.user);
  if (server.upgrade(request, { data })) return undefined;
  options.turnstile.leave(caller.address);
  return badRequest("This is not a valid WebSocket handshake.");
}

/** HTTP/1.0 needs no Host header, and then the address is only a path. */
function addressOf(request: Request): URL | null {
  return URL.parse(request.url) ?? (request.headers.has("host") ? null : URL.parse(request.url, "http://localhost"));
}

function socketHandler(options: ListenOptions, arriving: WeakMap<Connection, User>): WebSocketHandler<SocketData> {
  const { config, hub, turnstile } = options;
  return {
    maxPayloadLength: config.limits.frameBytes,
    backpressureLimit: config.limits.outboundBufferBytes,
    // Without it Bun silently drops what a stalled reader does not take.
    closeOnBackpressureLimit: true,
    // Liveness is judged by the hub, from what comes in: Bun's own timer is reset by what goes out.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(ws) {
      if ("why" in ws.data) return turnAway(hub, ws, ws.data);
      const why = options.verdict(ws.data);
      if (why) return turnAway(hub, ws, { protocol: ws.data.protocol, address: ws.data.address, why });
      arrive(hub, ws.data, ws, arriving.get(ws.data));
    },
    message(ws, frame) {
      if (!("why" in ws.data)) receive(hub, ws.data, frame);
    },
    ping(ws) {
      if (!("why" in ws.data)) heed(hub, ws.data);
    },
    pong(ws) {
      if (!("why" in ws.data)) heed(hub, ws.data);
    },
    close(ws, code) {
      turnstile.leave(ws.data.address);
      if (!("why" in ws.data)) hub.close(ws.data, code);
    },
  };
}

function turnAway(hub: Hub, ws: ServerWebSocket<SocketData>, { protocol, address, why }: TurnedAway): void {
  hub.observe({ type: "turned-away", address, why });
  const { frame, code, reason } = protocol.closing(why);
  if (frame !== undefined) ws.send(frame);
  ws.close(code, reason);
}

/** Said in HTTP: who floods is not worth a WebSocket, and clients take a refused handshake for a reason to try later. */
function tooMany(hub: Hub, { address }: Caller, waitS: number): Response {
  const error = "Your address has as many connections as it may, or opens them too fast; try again later.";
  hub.observe({ type: "turned-away", address, why: new Disconnect("flooded", error) });
  const headers = { "Retry-After": String(waitS) };
  return Response.json({ error, code: "flooded" }, { status: 429, headers });
}

function forbidden(hub: Hub, { address }: Caller, isHandshake: boolean): Response {
  const error = "Your address may not use this server.";
  if (isHandshake) hub.observe({ type: "turned-away", address, why: new Disconnect("unauthorized", error) });
  return Response.json({ error, code: "forbidden" }, { status: 403 });
}

function badRequest(error: string): Response {
  return Response.json({ error, code: "malformed" }, { status: 400 });
}

function unavailable(): Response {
  const body = { error: "The server is shutting down; connect again.", code: "shutdown" };
  return Response.json(body, { status: 503, headers: { "Retry-After": "1" } });
}
