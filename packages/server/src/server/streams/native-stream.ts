/**
 * The native protocol over HTTP: a response that streams, requests that send, and long polls; numbered both ways, so that a proxy
 * that cuts costs neither an event nor a command. Normative text: docs/protocol/native.md.
 */

import type { App } from "../../domain/app.ts";
import { DISCONNECTS, type Disconnect } from "../../domain/error.ts";
import { onOneLine } from "../../domain/json-text.ts";
import { isOriginAllowed } from "../../guards/origin.ts";
import { bearerIn } from "../../guards/token.ts";
import { errorResponse, HttpError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import { receive, receiveRequest } from "../../hub/execute.ts";
import type { Route } from "../http/router.ts";
import { readCommands } from "./commands.ts";
import {
  type Cors,
  closeSession,
  deliverCommands,
  NOT_THE_PAGE,
  type Outcome,
  outcomeError,
  outcomeResponse,
  SESSION_GONE,
  TOO_MANY_REQUESTS,
  waitForTurn,
} from "./deliver.ts";
import {
  closingFrame,
  type Framing,
  forEventSource,
  jsonPoll,
  ndjson,
  serverSentEvents,
  withHeaders,
} from "./framing.ts";
import { PollReader, type Reading, StreamReader } from "./readers.ts";
import type { Relayed } from "./relay.ts";
import { isOfPage, type Session } from "./session.ts";
import type { SessionKind } from "./sessions.ts";
import {
  answerPage,
  callerOf,
  checkMisses,
  corsHeaders,
  findApp,
  pinFor,
  type StreamOptions,
  type StreamRequest,
} from "./stream-request.ts";
import { markIn, type Redeemed, TICKET_S } from "./tickets.ts";

interface NativeRequest extends StreamRequest {
  /** The session that is meant, where it is on this node or on another. */
  readonly session: Session | undefined;
  readonly relayed: Relayed | undefined;
  readonly app: App | undefined;
  readonly cors: Cors;
}

type Action = (native: StreamOptions, asked: NativeRequest) => Promise<Response>;

const ACTIONS: Readonly<Record<string, Action>> = { stream, send, poll, close, ticket };
const PREFLIGHT = { methods: "GET, POST", headers: "authorization, content-type, last-event-id" };
/** As many commands as may come with the request that opens the session. */
const FIRST_COMMANDS = 16;

export function nativeStreamRoute(native: StreamOptions): Route {
  const prefixes = [...new Set(["/rt/", `${native.path}/rt/`])];
  return (request, url, listener) => {
    const prefix = prefixes.find((one) => url.pathname.startsWith(one));
    const name = prefix === undefined ? "" : url.pathname.slice(prefix.length);
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    return action && answer(native, action, { request, url, listener });
  };
}

function answer(native: StreamOptions, action: Action, asked: StreamRequest): Promise<Response> {
  const { request, url } = asked;
  const { admission } = native.options;
  const id = url.searchParams.get("session") ?? idOfEventSource(request)?.session;
  const session = id === undefined ? undefined : native.sessions.find(id);
  return answerPage(native.options, asked, {
    preflight: PREFLIGHT,
    during: "an HTTP stream",
    closing: closingFrame,
    findApp: () =>
      session?.connection?.app ?? findApp(admission.apps, url.searchParams.get("app") ?? admission.defaultKey),
    act: (app, cors) => checkAndAct(native, action, { ...asked, session, app, cors }, id),
  });
}

async function checkAndAct(
  native: StreamOptions,
  action: Action,
  asked: Omit<NativeRequest, "relayed">,
  id: string | undefined,
): Promise<Response> {
  const { request, url, session, app } = asked;
  const origin = request.headers.get("origin");
  checkRequest(request, action);
  if (!session && id !== undefined) checkMisses(native.options, asked);
  const relayed = session || id === undefined ? undefined : await relayedTo(native, id, origin);
  // The node that has the session knows its app.
  if (!relayed && app && !isOriginAllowed(app, origin)) throw outcomeError(NOT_THE_PAGE);
  if (session && !isOfPage(session, origin)) throw outcomeError(NOT_THE_PAGE);
  if (url.searchParams.has("session") && !session?.connection && !relayed) throw outcomeError(SESSION_GONE);
  const late = session && action !== close ? await waitForTurn(native.options.hub, session) : undefined;
  if (late) throw outcomeError(late);
  return action(native, { ...asked, relayed });
}

async function relayedTo(
  { sessions }: StreamOptions,
  session: string,
  origin: string | null,
): Promise<Relayed | undefined> {
  const owner = await sessions.relay?.named(session);
  return owner === undefined ? undefined : { session, origin, owner };
}

function checkRequest({ method, headers }: Request, action: Action): void {
  if (method !== "POST" && !(method === "GET" && action === stream)) {
    throw new HttpError(405, "method_not_allowed", "Use POST.", { Allow: "OPTIONS, POST" });
  }
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type === undefined || BODY_TYPES.has(type)) return;
  throw new HttpError(415, "malformed", "A body is application/x-ndjson or text/plain: one command a line.");
}

const BODY_TYPES: ReadonlySet<string> = new Set(["", "application/x-ndjson", "text/plain", "application/json"]);

// ---- what may be asked

async function stream(native: StreamOptions, asked: NativeRequest): Promise<Response> {
  const { request } = asked;
  const reading = await readingOf(native, asked, "stream");
  if (reading instanceof Response) return reading;
  return new StreamReader({ ...reading, framing: framingFor(request, reading) }).response;
}

async function poll(native: StreamOptions, asked: NativeRequest): Promise<Response> {
  const reading = await readingOf(native, asked, "poll");
  if (reading instanceof Response) return reading;
  return new PollReader({ ...reading, framing: jsonPoll(reading.id) }).response;
}

async function send({ options, sessions }: StreamOptions, asked: NativeRequest): Promise<Response> {
  const { request, url, session, relayed, cors } = asked;
  const seq = numberIn(url, "seq");
  if (seq === undefined || seq < 1) {
    throw new HttpError(400, "malformed", "`seq` is the number of the first command, from 1.");
  }
  const commands = await readCommands(request, options.config.limits.frameBytes);
  if (relayed && sessions.relay) return told(await sessions.relay.send(relayed, commands, seq), cors);
  if (!session) throw outcomeError(SESSION_GONE);
  return told(await deliverCommands(options.hub, session, seq, commands), cors);
}

async function close({ options, sessions }: StreamOptions, asked: NativeRequest): Promise<Response> {
  const { session, relayed, cors } = asked;
  if (relayed && sessions.relay) return told(await sessions.relay.close(relayed), cors);
  return outcomeResponse(session ? closeSession(options.hub, session) : SESSION_GONE, cors);
}

/** That there is no such session counts against who asked, wherever it was found out. */
function told(outcome: Outcome, cors: Cors): Response {
  if (outcome.code === SESSION_GONE.code) throw outcomeError(outcome);
  return outcomeResponse(outcome, cors);
}

async function ticket({ tickets }: StreamOptions, asked: NativeRequest): Promise<Response> {
  const { request, app, cors } = asked;
  if (!app) throw new HttpError(404, "app_unknown", "There is no app of that key.");
  const token = bearerIn(request);
  if (token === undefined) {
    throw new HttpError(401, "unauthorized", "A ticket stands for a token: send it as Authorization: Bearer JWT.");
  }
  const issued = await tickets.issue(app, request.headers.get("origin"), token);
  return Response.json({ ticket: issued, expiresInS: TICKET_S }, { headers: { ...cors, "Cache-Control": "no-store" } });
}

// ---- sessions

async function open(
  { options, sessions }: StreamOptions,
  asked: NativeRequest,
  transport: SessionKind["transport"],
  redeemed: Redeemed | undefined,
): Promise<Session | Response> {
  const { request, url, cors } = asked;
  const commands = await readCommands(request, options.config.limits.frameBytes);
  if (commands.length > FIRST_COMMANDS) {
    throw new HttpError(
      400,
      "malformed",
      `At most ${FIRST_COMMANDS} commands come with the request that opens a session.`,
    );
  }
  const caller = callerOf(options, asked);
  const kind: SessionKind = {
    id: sessions.newId(),
    transport,
    encode: onOneLine,
    pingFrame: '{"event":"ping"}',
    isNamed: true,
    url: pinFor(options.config, request, caller)?.href.replace(/\/$/, ""),
  };
  const { search } = redeemed?.url ?? url;
  const context = { request: redeemed?.request ?? request, url: new URL(`/${search}`, url.href), caller };
  const opened = await sessions.open(options, context, kind);
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

interface NativeReading extends Omit<Reading, "framing"> {
  readonly id: string;
  /** Of one that was opened by a ticket. */
  readonly mark: string | undefined;
}

/** Of a session that is here, that another node has, or that is opened by it. */
async function readingOf(
  native: StreamOptions,
  asked: NativeRequest,
  transport: SessionKind["transport"],
): Promise<NativeReading | Response> {
  const { sessions } = native;
  const { request, url, session, relayed, cors, listener } = asked;
  // Bun hangs up on a response that is silent for long.
  listener.timeout(request, 0);
  const mark = idOfEventSource(request)?.mark;
  const rest = { sessions, request, headers: cors, mark };
  const ack = numberIn(url, "ack") ?? numberAfter(request.headers.get("last-event-id"));
  const isPoll = transport === "poll";
  const mirror = relayed && (await sessions.relay?.read({ ...relayed, after: ack, isPoll, isResumable: true }));
  if (mirror === "forbidden") throw outcomeError(NOT_THE_PAGE);
  if (mirror === "limited") throw outcomeError(TOO_MANY_REQUESTS);
  if (typeof mirror === "object") {
    const app = await findApp(native.options.admission.apps, mirror.key);
    const headers = corsHeaders(app, request.headers.get("origin"));
    return { ...rest, headers, id: relayed?.session ?? "", socket: mirror.socket, isFirst: false };
  }
  if (session?.connection && attachAgain(native, session, ack)) {
    return { ...rest, id: session.id, socket: session.socket, isFirst: false };
  }
  if (url.searchParams.has("session")) throw outcomeError(SESSION_GONE);
  const redeemed = request.method === "GET" ? await native.tickets.redeem(asked.app, request, url, mark) : undefined;
  const opened = await open(native, asked, transport, redeemed);
  if (opened instanceof Response) {
    // Who was let in by a ticket may come again by it.
    const comeBack = redeemed && mark === undefined ? `id: 0:${redeemed.mark}:0\n` : "";
    return request.method === "GET" ? forEventSource(opened, closingFrame, cors, comeBack) : opened;
  }
  return { ...rest, id: opened.id, socket: opened.socket, isFirst: true, mark: redeemed?.mark };
}

/** The client goes on behind the frame that it has. False where that is no longer kept. */
function attachAgain({ sessions }: StreamOptions, session: Session, ack: number | undefined): boolean {
  session.socket.endReader();
  if (ack !== undefined && !session.socket.rewind(ack)) {
    session.socket.terminate();
    return false;
  }
  if (session.connection) receiveRequest(sessions.hub, session.connection);
  return true;
}

/** A browser's EventSource comes again by the address that it was given; what it had last says which session it was. */
function idOfEventSource({
  headers,
}: Request): { readonly session: string; readonly mark: string | undefined } | undefined {
  const [session = "", ...rest] = (headers.get("last-event-id") ?? "").split(":");
  return rest.length === 0 ? undefined : { session, mark: rest.length > 1 ? markIn(rest[0]) : undefined };
}

function numberAfter(lastEventId: string | null): number | undefined {
  const [, number] = /^(?:.*:)?(\d{1,15})$/.exec(lastEventId ?? "") ?? [];
  return number === undefined ? undefined : Number(number);
}

function framingFor(request: Request, { id, mark }: NativeReading): Framing {
  if (request.method === "GET") return serverSentEvents(mark === undefined ? `${id}:` : `${id}:${mark}:`);
  return request.headers.get("accept")?.includes("text/event-stream") ? serverSentEvents("") : ndjson;
}

function numberIn({ searchParams }: RequestUrl, name: string): number | undefined {
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

export function refusalResponse(why: Disconnect | undefined, cors: Cors): Response {
  if (!why) return errorResponse(503, "internal", "The connection ended while it was opened.", cors);
  const status = STATUS[why.code] ?? (DISCONNECTS[why.code] === "never" ? 403 : 503);
  return errorResponse(status, why.code, why.message, cors);
}
