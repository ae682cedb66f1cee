/**
 * Pusher's HTTP transports, as pusher-js 8 speaks them where WebSockets do not get through: `xhr_streaming`, `xhr` (polling) and
 * `xhr_send`. Lines of SockJS: `o` open, `a` frames, `h` heartbeat, `c` close. Normative text: docs/protocol/pusher.md.
 */

import type { App } from "../../domain/app.ts";
import { Disconnect } from "../../domain/error.ts";
import { errorResponseFor, HttpError, methodNotAllowed } from "../../http/error-response.ts";
import { receiveRequest } from "../../hub/execute.ts";
import type { Route } from "../http/router.ts";
import type { HandshakeOptions } from "../websocket/listen-options.ts";
import { readFrames, tooLarge } from "./commands.ts";
import {
  type Cors,
  deliverInTurn,
  NOT_THE_PAGE,
  type Outcome,
  outcomeResponse,
  refusalFor,
  SESSION_GONE,
  waitAsPusher,
} from "./deliver.ts";
import { movedTo, sockJsPoll, sockJsStream } from "./framing.ts";
import type { HttpSocket } from "./http-socket.ts";
import { PollReader, StreamReader } from "./readers.ts";
import type { Relayed } from "./relay.ts";
import type { Session } from "./session.ts";
import type { SessionKind, Sessions } from "./sessions.ts";
import {
  answerPage,
  callerOf,
  checkMisses,
  corsHeaders,
  findApp,
  pinFor,
  type StreamRequest,
} from "./stream-request.ts";

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
const PREFLIGHT = { methods: "POST", headers: "content-type" };
/** Of an app that is not known. */
const ANY_ORIGIN = corsHeaders(undefined, null);

interface XhrRequest extends StreamRequest {
  readonly key: string;
  /** Of this app and client. */
  readonly sessionId: string;
  readonly action: string;
}

export function pusherXhrRoute(xhr: PusherXhrOptions): Route {
  return (request, url, listener) => {
    const [, prefix, key = "", session, action = ""] = PATH.exec(url.pathname) ?? [];
    if (prefix === undefined) return undefined;
    if (xhr.hasProgram() && prefix !== DEFAULT_PREFIX && prefix !== xhr.path) return undefined;
    return answer(xhr, { request, url, key, sessionId: `${key}/${session}`, action, listener });
  };
}

async function answer(xhr: PusherXhrOptions, asked: XhrRequest): Promise<Response> {
  const { request, key, action } = asked;
  let app: App | undefined;
  try {
    app = await findApp(xhr.options.admission.apps, key);
  } catch (error) {
    const response = errorResponseFor(error, ANY_ORIGIN);
    return action === "xhr_send" ? response : refused(xhr, response, { ...sockJsStream.headers, ...ANY_ORIGIN });
  }
  return answerPage(xhr.options, asked, {
    preflight: PREFLIGHT,
    during: "an HTTP transport",
    findApp: () => app,
    act: async (_app, cors) =>
      request.method === "POST" ? dispatch(xhr, asked, cors) : methodNotAllowed("POST", "OPTIONS"),
  });
}

/** Where the connection is here, or on another node, or nowhere yet. */
async function dispatch(xhr: PusherXhrOptions, asked: XhrRequest, cors: Cors): Promise<Response> {
  const { sessions, options } = xhr;
  const { sessionId, action, request } = asked;
  const origin = request.headers.get("origin");
  const session = sessions.find(sessionId);
  const refusal = session && refusalFor(session, origin);
  if (refusal) return outcomeResponse(refusal, cors);
  if (!session) checkMisses(options, asked);
  const owner = session ? undefined : await sessions.relay?.noted(sessionId);
  const relayed = owner === undefined ? undefined : { owner, session: sessionId, origin };
  if (action === "xhr_send") return outcomeResponse(forPusher(await send(xhr, asked, session, relayed)), cors);
  if (session) await waitAsPusher(options.hub, session);
  return (relayed && (await readElsewhere(xhr, asked, relayed, cors))) ?? read(xhr, asked, cors);
}

/** Bodies are read side by side. */
async function send(
  xhr: PusherXhrOptions,
  asked: XhrRequest,
  session: Session | undefined,
  relayed: Relayed | undefined,
): Promise<Outcome> {
  const { options, sessions } = xhr;
  const reading = readSend(asked.request, options.config.limits.frameBytes);
  if (session) return deliverInTurn(options.hub, session, reading);
  const frames = await reading;
  const outcome = relayed && sessions.relay ? await sessions.relay.send(relayed, frames) : SESSION_GONE;
  if (outcome.status === SESSION_GONE.status) options.ipConnectionLimiter.noteMiss(callerOf(options, asked).address);
  return outcome;
}

/** Its client knows only that there is none. */
function forPusher(outcome: Outcome): Outcome {
  return outcome.status === SESSION_GONE.status
    ? { ...outcome, status: 404, error: "There is no such session." }
    : outcome;
}

async function read(xhr: PusherXhrOptions, asked: XhrRequest, cors: Cors): Promise<Response> {
  const isStream = asked.action === "xhr_streaming";
  const known = xhr.sessions.find(asked.sessionId);
  const opened = known ?? (await open(xhr, asked, isStream ? "xhr_streaming" : "xhr_polling"));
  if (opened instanceof Response) return refused(xhr, opened, { ...sockJsStream.headers, ...cors });
  const { socket, connection } = opened;
  if (!isStream && known && connection) receiveRequest(xhr.sessions.hub, connection);
  return respond(xhr, asked, socket, { isFirst: !known, cors });
}

/** Undefined where the node has lost it. */
async function readElsewhere(
  xhr: PusherXhrOptions,
  asked: XhrRequest,
  relayed: Relayed,
  cors: Cors,
): Promise<Response | undefined> {
  const isPoll = asked.action === "xhr";
  const mirror = await xhr.sessions.relay?.read({ ...relayed, after: undefined, isPoll, isResumable: false });
  if (mirror === "forbidden") return outcomeResponse(NOT_THE_PAGE, cors);
  return typeof mirror === "object" ? respond(xhr, asked, mirror.socket, { isFirst: false, cors }) : undefined;
}

function respond(
  { sessions, options }: PusherXhrOptions,
  asked: XhrRequest,
  socket: HttpSocket,
  { isFirst, cors }: { readonly isFirst: boolean; readonly cors: Cors },
): Response | Promise<Response> {
  const { request, action, listener } = asked;
  // Bun hangs up on a response that is silent for long.
  listener.timeout(request, 0);
  const reading = { sessions, socket, request, isFirst, headers: cors };
  const hostname = isFirst ? pinFor(options.config, request, callerOf(options, asked))?.hostname : undefined;
  return action === "xhr_streaming"
    ? new StreamReader({ ...reading, framing: movedTo(hostname, sockJsStream) }).response
    : new PollReader({ ...reading, framing: movedTo(hostname, sockJsPoll) }).response;
}

function open(xhr: PusherXhrOptions, asked: XhrRequest, transport: SessionKind["transport"]) {
  const { request, url, key } = asked;
  const { options, sessions } = xhr;
  const caller = callerOf(options, asked);
  const plain = new URL(`/app/${key}${url.search}`, url.href);
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

/** Throws HttpError. */
async function readSend(request: Request, frameBytes: number): Promise<readonly string[]> {
  const frames = parse(await readFrames(request, frameBytes));
  if (!Array.isArray(frames) || !frames.every((frame) => typeof frame === "string")) {
    throw new HttpError(400, "malformed", "The body is not a JSON array of strings.");
  }
  for (const frame of frames) if (Buffer.byteLength(frame) > frameBytes) throw tooLarge(frameBytes);
  return frames;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
