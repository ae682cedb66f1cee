/**
 * Pusher's HTTP transports, as pusher-js 8 speaks them where WebSockets do not get through: `xhr_streaming`, `xhr` (polling) and
 * `xhr_send`. Lines of SockJS: `o` open, `a` frames, `h` heartbeat, `c` close. Normative text: docs/protocol/pusher.md.
 */

import type { App } from "../../domain/app.ts";
import { Disconnect } from "../../domain/error.ts";
import { isOriginAllowed } from "../../guards/origin.ts";
import { errorResponse } from "../../http/error-response.ts";
import { receivePing } from "../../hub/execute.ts";
import type { Route } from "../http/router.ts";
import type { HandshakeOptions } from "../websocket/listen-options.ts";
import { corsHeaders, preflightResponse } from "./cors.ts";
import { sockJsPoll, sockJsStream } from "./framing.ts";
import { receiveSend } from "./pusher-send.ts";
import { PollReader, StreamReader } from "./readers.ts";
import type { Session, SessionKind, Sessions } from "./sessions.ts";

export interface PusherXhrOptions {
  readonly options: HandshakeOptions;
  readonly sessions: Sessions;
  readonly path: string;
  /** Then only the paths that are the server's own count. */
  readonly hasProgram: () => boolean;
}

/** The client makes up the two numbers of its session. */
const PATH = /^(.*)\/app\/([^/]+)\/(\d{1,3}\/[0-9a-z]{1,32})\/(xhr_streaming|xhr|xhr_send)$/;
const DEFAULT_PREFIX = "/pusher";

interface XhrRequest {
  readonly request: Request;
  readonly url: URL;
  readonly key: string;
  /** Of this app and client. */
  readonly sessionId: string;
  readonly action: string;
  readonly app: App | undefined;
  readonly origin: string | null;
  readonly listener: Parameters<Route>[2];
}

export function pusherXhrRoute(xhr: PusherXhrOptions): Route {
  return (request, url, listener) => {
    const [, prefix, key = "", session, action = ""] = PATH.exec(url.pathname) ?? [];
    if (prefix === undefined) return undefined;
    if (xhr.hasProgram() && prefix !== DEFAULT_PREFIX && prefix !== xhr.path) return undefined;
    return answer(xhr, { request, url, key, sessionId: `${key}/${session}`, action, listener });
  };
}

async function answer(xhr: PusherXhrOptions, asked: Omit<XhrRequest, "app" | "origin">): Promise<Response> {
  const { request, key, action } = asked;
  const app = await xhr.options.admission.apps.byKey(key);
  const origin = request.headers.get("origin");
  const cors = corsHeaders(app, origin);
  if (request.method === "OPTIONS") return preflightResponse(app, origin, { methods: "POST", headers: "content-type" });
  if (request.method !== "POST") return new Response(null, { status: 405, headers: { Allow: "OPTIONS, POST" } });
  const full: XhrRequest = { ...asked, app, origin };
  const session = xhr.sessions.find(asked.sessionId);
  if (session && !mayUse(session, full)) return errorResponse(403, "unauthorized", WRONG_ORIGIN, cors);
  if (action !== "xhr_send") return read(xhr, full, session, cors);
  if (!session?.connection) return errorResponse(404, "session_gone", "There is no such session.", cors);
  return receiveSend(xhr.options, session.connection, session, request, cors);
}

const WRONG_ORIGIN = "The session is another page's, or this origin may not connect to this app (allowedOrigins).";

function mayUse({ origin, connection }: Session, request: XhrRequest): boolean {
  return origin === request.origin && (!connection || isOriginAllowed(connection.app, origin));
}

async function read(
  xhr: PusherXhrOptions,
  asked: XhrRequest,
  known: Session | undefined,
  cors: Readonly<Record<string, string>>,
): Promise<Response> {
  const { request, action, listener } = asked;
  // Bun hangs up on a response that is silent for long.
  listener.timeout(request, 0);
  const isStream = action === "xhr_streaming";
  const opened = known ?? (await open(xhr, asked, isStream ? "xhr_streaming" : "xhr_polling"));
  if (opened instanceof Response) return refused(xhr, opened, { ...sockJsStream.headers, ...cors });
  const { socket, connection } = opened;
  if (!isStream && known && connection) receivePing(xhr.sessions.hub, connection);
  const reading = { sessions: xhr.sessions, socket, request, isFirst: !known, headers: cors };
  const reader = isStream
    ? new StreamReader({ ...reading, framing: sockJsStream })
    : new PollReader({ ...reading, framing: sockJsPoll });
  return reader.response;
}

function open(xhr: PusherXhrOptions, asked: XhrRequest, transport: SessionKind["transport"]) {
  const { request, url, key, listener } = asked;
  const { options, sessions } = xhr;
  const caller = options.identify(request, url, listener.requestIP(request)?.address);
  const plain = new URL(`/app/${key}${url.search}`, url);
  return sessions.open(options, { request, url: plain, caller }, { id: asked.sessionId, transport, encode: frameLine });
}

/** What a WebSocket's handshake is refused with by a status: a status is nothing that pusher-js can read. */
async function refused(xhr: PusherXhrOptions, response: Response, headers: Record<string, string>): Promise<Response> {
  if (response.status !== 503 && response.status !== 429) {
    for (const [name, value] of Object.entries(headers)) {
      if (name.startsWith("Access-") || name === "Vary") response.headers.set(name, value);
    }
    return response;
  }
  const { error } = (await response.json()) as { readonly error: string };
  const why = new Disconnect(response.status === 503 ? "shutdown" : "flooded", error);
  const { frame, code, reason } = xhr.options.admission.pusher.encodeClose(why);
  return new Response(`o{}\n${frame === undefined ? "" : frameLine(frame)}${sockJsStream.close({ code, reason })}`, {
    headers,
  });
}

let lastFrame = "";
let lastLine = "";

/** A publication is the same for all its readers, one after the other. */
function frameLine(frame: string): string {
  if (frame !== lastFrame) {
    lastFrame = frame;
    lastLine = `a[${JSON.stringify(frame)}]\n`;
  }
  return lastLine;
}
