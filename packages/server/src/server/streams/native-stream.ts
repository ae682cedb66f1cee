/**
 * The native protocol over HTTP: a response that streams, requests that send, and long polls; numbered both ways, so that a proxy
 * that cuts costs neither an event nor a command. Normative text: docs/protocol/native.md.
 */

import type { App } from "../../domain/app.ts";
import { DISCONNECTS, type Disconnect } from "../../domain/error.ts";
import { onOneLine } from "../../domain/json-text.ts";
import { isOriginAllowed } from "../../guards/origin.ts";
import { errorResponse, errorResponseFor, HttpError, isKnownError } from "../../http/error-response.ts";
import { receive, receivePing } from "../../hub/execute.ts";
import type { Route } from "../http/router.ts";
import type { HandshakeOptions } from "../websocket/listen-options.ts";
import { AheadError, readCommands } from "./commands.ts";
import { corsHeaders, preflightResponse } from "./cors.ts";
import { type Framing, jsonPoll, ndjson, serverSentEvents } from "./framing.ts";
import { PollReader, StreamReader } from "./readers.ts";
import type { Session, SessionKind, Sessions } from "./sessions.ts";

export interface NativeStreamOptions {
  readonly options: HandshakeOptions;
  readonly sessions: Sessions;
  readonly path: string;
}

interface NativeRequest {
  readonly request: Request;
  readonly url: URL;
  readonly listener: Parameters<Route>[2];
  readonly app: App | undefined;
  readonly session: Session | undefined;
  readonly cors: Readonly<Record<string, string>>;
}

type Action = (native: NativeStreamOptions, asked: NativeRequest) => Promise<Response>;

const ACTIONS: Readonly<Record<string, Action>> = { stream, send, poll, close };
const PREFLIGHT = { methods: "GET, POST", headers: "authorization, content-type, last-event-id" };
/** As many commands as may come with the request that opens the session. */
const FIRST_COMMANDS = 16;
const CLOSED_BY_CLIENT = 1000;

export function nativeStreamRoute(native: NativeStreamOptions): Route {
  const prefixes = [...new Set(["/rt/", `${native.path}/rt/`])];
  return (request, url, listener) => {
    const prefix = prefixes.find((one) => url.pathname.startsWith(one));
    const name = prefix === undefined ? "" : url.pathname.slice(prefix.length);
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    return action && answer(native, action, { request, url, listener });
  };
}

async function answer(
  native: NativeStreamOptions,
  action: Action,
  asked: Pick<NativeRequest, "request" | "url" | "listener">,
): Promise<Response> {
  const { request, url } = asked;
  const { admission } = native.options;
  const id = url.searchParams.get("session");
  const session = id === null ? undefined : native.sessions.find(id);
  const app =
    session?.connection?.app ?? (await admission.apps.byKey(url.searchParams.get("app") ?? admission.defaultKey));
  const origin = request.headers.get("origin");
  const cors = corsHeaders(app, origin);
  if (request.method === "OPTIONS") return preflightResponse(app, origin, PREFLIGHT);
  try {
    checkRequest(request, action, app, session);
    if (id !== null && !session?.connection) throw sessionGone();
    return await action(native, { ...asked, app, session, cors });
  } catch (error) {
    if (error instanceof AheadError) {
      const { code, message, expected } = error;
      return Response.json({ error: message, code, expected }, { status: 409, headers: cors });
    }
    if (!isKnownError(error)) native.options.hub.observe({ type: "failed", error, during: "an HTTP stream" });
    return errorResponseFor(error, cors);
  }
}

function checkRequest({ method, headers }: Request, action: Action, app: App | undefined, session?: Session): void {
  if (method !== "POST" && !(method === "GET" && action === stream)) {
    throw new HttpError(405, "method_not_allowed", "Use POST.", { Allow: "OPTIONS, POST" });
  }
  const origin = headers.get("origin");
  if (app && !isOriginAllowed(app, origin)) {
    throw new HttpError(403, "unauthorized", "This origin may not connect to this app (allowedOrigins).");
  }
  if (session && session.origin !== origin) throw new HttpError(403, "unauthorized", "The session is another page's.");
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type === undefined || BODY_TYPES.has(type)) return;
  throw new HttpError(415, "malformed", "A body is application/x-ndjson or text/plain: one command a line.");
}

const BODY_TYPES: ReadonlySet<string> = new Set(["", "application/x-ndjson", "text/plain", "application/json"]);

function sessionGone(): HttpError {
  return new HttpError(
    410,
    "session_gone",
    "There is no such session any more: open one, with the positions you have.",
  );
}

// ---- what may be asked

async function stream(native: NativeStreamOptions, asked: NativeRequest): Promise<Response> {
  const { request, session } = asked;
  const resumed = session ?? resumedByEventSource(native, asked);
  if (resumed) attachAgain(native, asked, resumed);
  const opened = resumed ?? (await open(native, asked, "stream"));
  if (opened instanceof Response) return opened;
  return new StreamReader(readingOf(native, asked, opened, framingFor(request, opened))).response;
}

async function poll(native: NativeStreamOptions, asked: NativeRequest): Promise<Response> {
  const { session } = asked;
  if (session) attachAgain(native, asked, session);
  const opened = session ?? (await open(native, asked, "poll"));
  if (opened instanceof Response) return opened;
  return new PollReader(readingOf(native, asked, opened, jsonPoll(opened.id))).response;
}

async function send(
  { options }: NativeStreamOptions,
  { request, url, session, cors }: NativeRequest,
): Promise<Response> {
  const { connection, socket, commands } = session ?? {};
  if (!connection || !socket || !commands) throw sessionGone();
  const seq = numberIn(url, "seq");
  if (seq === undefined || seq < 1)
    throw new HttpError(400, "malformed", "`seq` is the number of the first command, from 1.");
  const lines = await readCommands(request, options.config.limits.frameBytes);
  await socket.resumed;
  await commands.receive(options.hub, connection, seq, lines);
  const why = connection.disconnectReason;
  if (why?.code === "flooded") return errorResponse(429, why.code, why.message, cors);
  return new Response(null, { status: 204, headers: cors });
}

async function close({ options }: NativeStreamOptions, { session, cors }: NativeRequest): Promise<Response> {
  if (!session?.connection) throw sessionGone();
  options.hub.close(session.connection, CLOSED_BY_CLIENT);
  session.socket.terminate();
  return new Response(null, { status: 204, headers: cors });
}

// ---- sessions

async function open(
  { options, sessions }: NativeStreamOptions,
  asked: NativeRequest,
  transport: SessionKind["transport"],
): Promise<Session | Response> {
  const { request, url, listener, cors } = asked;
  const commands = await readCommands(request, options.config.limits.frameBytes);
  if (commands.length > FIRST_COMMANDS) {
    throw new HttpError(
      400,
      "malformed",
      `At most ${FIRST_COMMANDS} commands come with the request that opens a session.`,
    );
  }
  const caller = options.identify(request, url, listener.requestIP(request)?.address);
  const kind: SessionKind = {
    id: sessions.newId(),
    transport,
    encode: onOneLine,
    pingFrame: '{"event":"ping"}',
    isNamed: true,
  };
  const opened = await sessions.open(options, { request, url: new URL(`/${url.search}`, url), caller }, kind);
  if (opened instanceof Response) return withHeaders(opened, cors);
  const { connection, socket, refusal } = opened;
  if (refusal || !connection) {
    socket.terminate();
    return refusalResponse(refusal, cors);
  }
  opened.commands.next += commands.length;
  for (const command of commands) receive(options.hub, connection, command);
  return opened;
}

/** The client goes on behind the frame that it has. Throws HttpError where that is no longer kept. */
function attachAgain({ sessions }: NativeStreamOptions, { url, request }: NativeRequest, session: Session): void {
  const ack = numberIn(url, "ack") ?? numberAfter(request.headers.get("last-event-id"), session);
  if (ack !== undefined && !session.socket.rewind(ack)) {
    session.socket.terminate();
    throw sessionGone();
  }
  if (session.connection) receivePing(sessions.hub, session.connection);
}

/** A browser's EventSource comes again by the address that it was given; what it had last says which session it was. */
function resumedByEventSource({ sessions }: NativeStreamOptions, { request }: NativeRequest): Session | undefined {
  const last = request.headers.get("last-event-id");
  const session = last === null ? undefined : sessions.find(last.slice(0, last.lastIndexOf(":")));
  return session && session.origin === request.headers.get("origin") ? session : undefined;
}

function numberAfter(lastEventId: string | null, { id }: Session): number | undefined {
  if (lastEventId === null) return undefined;
  const text = lastEventId.startsWith(`${id}:`) ? lastEventId.slice(id.length + 1) : lastEventId;
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function framingFor(request: Request, { id }: Session): Framing {
  if (request.method === "GET") return serverSentEvents(`${id}:`);
  return request.headers.get("accept")?.includes("text/event-stream") ? serverSentEvents("") : ndjson;
}

function readingOf({ sessions }: NativeStreamOptions, asked: NativeRequest, session: Session, framing: Framing) {
  const { request, cors, listener } = asked;
  // Bun hangs up on a response that is silent for long.
  listener.timeout(request, 0);
  return { sessions, socket: session.socket, request, framing, isFirst: !asked.session, headers: cors };
}

function numberIn({ searchParams }: URL, name: string): number | undefined {
  const text = searchParams.get(name);
  if (text === null) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new HttpError(400, "malformed", `\`${name}\` is a whole number.`);
}

const STATUS: Partial<Record<Disconnect["code"], number>> = {
  unauthorized: 401,
  token_invalid: 401,
  token_expired: 401,
  app_unknown: 404,
  flooded: 429,
};

function refusalResponse(why: Disconnect | undefined, cors: Readonly<Record<string, string>>): Response {
  if (!why) return errorResponse(503, "internal", "The connection ended while it was opened.", cors);
  const status = STATUS[why.code] ?? (DISCONNECTS[why.code] === "never" ? 403 : 503);
  return errorResponse(status, why.code, why.message, cors);
}

function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}
