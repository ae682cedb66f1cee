/**
 * `GET /rt/events?channels=a,b`: one-way server-sent events, for `curl -N` and `EventSource`. What is final is refused by a status,
 * after which an EventSource gives up; what passes is told in a stream that ends, after which it comes again.
 */

import { traitsOf } from "../../domain/channel.ts";
import { DISCONNECTS, Disconnect } from "../../domain/error.ts";
import { isOriginAllowed } from "../../guards/origin.ts";
import { COMMAND_STATUS, errorResponse, HttpError, methodNotAllowed } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import { receive } from "../../hub/execute.ts";
import { type EventHead, eventStreamProtocol, splitEventFrame } from "../../protocols/native/event-stream.ts";
import type { Route } from "../http/router.ts";
import type { HandshakeOptions } from "../websocket/listen-options.ts";
import { type Cors, NOT_THE_PAGE, outcomeError } from "./deliver.ts";
import {
  closingEvent,
  closingStream,
  EventFraming,
  forEventSource,
  markInId,
  type Positions,
  placeOfMark,
  positionsIn,
} from "./framing.ts";
import { refusalResponse } from "./native-stream.ts";
import { StreamReader } from "./readers.ts";
import type { Sessions } from "./sessions.ts";
import { answerPage, callerOf, findApp, type StreamOptions, type StreamRequest } from "./stream-request.ts";
import type { Redeemed } from "./tickets.ts";

interface EventsRequest extends StreamRequest {
  readonly redeemed: Redeemed | undefined;
  readonly cors: Cors;
}

/** What it wants to read. */
interface Wish {
  readonly channels: readonly string[];
  /** Undefined where it comes for the first time. */
  readonly positions: Positions | undefined;
  readonly rewind: { readonly count: number } | { readonly seconds: number } | undefined;
  readonly isFull: boolean;
  /** Of one that was opened by a ticket. */
  readonly mark: string | undefined;
  /** It sees the members of presence channels and is none. */
  readonly isWatching: boolean;
}

const PREFLIGHT = { methods: "GET", headers: "authorization, last-event-id" };
const MOST_CHANNELS = 16;
/** An answer that takes longer is told in the stream. */
const DECISION_MS = 5_000;
/** In no epoch: who says that it was here is always told whether it missed anything. */
const NOWHERE = { epoch: "?", offset: 0 };

/** Where they may be over by the next request, though other clients are told not to come again: an app's limit of connections is no fault of the reader's. */
const PASSING: ReadonlySet<string> = new Set(["quota_exceeded", "channel_full"]);

export function eventsRoute({ options, sessions, tickets, path }: StreamOptions): Route {
  const { jsonDepth } = options.config.limits;
  const speaking = (isFull: boolean): HandshakeOptions => {
    const native = eventStreamProtocol({ jsonDepth, isFull });
    return { ...options, admission: { ...options.admission, native } };
  };
  const kinds = { plain: speaking(false), full: speaking(true) };
  return (request, url, listener) => {
    if (url.pathname !== "/rt/events" && url.pathname !== `${path}/rt/events`) return undefined;
    const asked = { request, url, listener };
    return answerPage(options, asked, {
      preflight: PREFLIGHT,
      during: "a stream of events",
      closing: closingEvent,
      findApp: () => findApp(options.admission.apps, url.searchParams.get("app") ?? options.admission.defaultKey),
      act: async (app, cors) => {
        if (request.method !== "GET") return methodNotAllowed("GET", "OPTIONS");
        if (app && !isOriginAllowed(app, request.headers.get("origin"))) throw outcomeError(NOT_THE_PAGE);
        const wish = wishOf(request, url);
        const redeemed = await tickets.redeem(app, request, url, wish.mark);
        return read(wish.isFull ? kinds.full : kinds.plain, sessions, wish, { ...asked, redeemed, cors });
      },
    });
  };
}

function wishOf(request: Request, { searchParams }: RequestUrl): Wish {
  const listed = (searchParams.get("channels") ?? "").split(",");
  const channels = [...new Set([...listed, ...searchParams.getAll("channel")])].filter((name) => name !== "");
  if (channels.length === 0 || channels.length > MOST_CHANNELS) {
    throw new HttpError(400, "malformed", `Name 1 to ${MOST_CHANNELS} channels: ?channels=news,chat.room.1`);
  }
  if (searchParams.has("auth")) {
    throw new HttpError(400, "malformed", "A token comes in the Authorization header, or as ?token=JWT.");
  }
  const lastId = request.headers.get("last-event-id") || searchParams.get("last_event_id") || undefined;
  const mark = lastId === undefined ? undefined : markInId(lastId);
  // One that has read nothing yet comes for the first time.
  const hasRead = lastId !== undefined && (mark === undefined || lastId !== placeOfMark(mark));
  return {
    mark,
    channels: channels.sort(),
    positions: hasRead ? positionsIn(lastId, channels) : undefined,
    rewind: rewindIn(searchParams.get("rewind")),
    isFull: channels.length > 1 || searchParams.get("full") === "1",
    isWatching: searchParams.get("presence") === "watch",
  };
}

function rewindIn(text: string | null): Wish["rewind"] {
  if (text === null) return undefined;
  const [, number, unit] = /^(\d{1,9})(s?)$/.exec(text) ?? [];
  if (number === undefined)
    throw new HttpError(400, "malformed", "rewind is a count of events, or seconds: 20 or 60s.");
  return unit === "s" ? { seconds: Number(number) } : { count: Number(number) };
}

/** Asks for all channels before the response begins, as its status depends on the answers. */
async function read(
  options: HandshakeOptions,
  sessions: Sessions,
  wish: Wish,
  asked: EventsRequest,
): Promise<Response> {
  const { request, listener, redeemed, cors } = asked;
  const { url } = redeemed ?? asked;
  // Bun hangs up on a response that is silent for long.
  listener.timeout(request, 0);
  const answers = new Answers(wish.channels);
  const caller = callerOf(options, asked);
  const context = { request: redeemed?.request ?? request, url: new URL(`/${url.search}`, url.href), caller };
  const opened = await sessions.open(options, context, {
    id: sessions.newId(),
    transport: "events",
    encode: (frame) => answers.noted(frame),
    isNamed: true,
    isOneWay: true,
  });
  // Who was let in by a ticket may come again by it.
  const comeBack = redeemed && wish.mark === undefined ? `id: ${placeOfMark(redeemed.mark)}\n` : "";
  if (opened instanceof Response) return forEventSource(opened, closingEvent, cors, comeBack);
  const { connection, socket } = opened;
  if (connection && !opened.refusal) {
    for (const command of subscribes(wish)) receive(options.hub, connection, JSON.stringify(command));
    await answers.within(Math.min(DECISION_MS, sessions.settings.sessionTimeoutS * 500), request.signal);
  }
  const { refused } = answers;
  const why = opened.refusal ?? (socket.isEnded ? new Disconnect("internal", "The connection ended.") : undefined);
  if (why || refused) {
    socket.terminate();
    if (why) return endedResponse(why, cors, comeBack);
    return refusedResponse(refused as EventHead, connection?.user !== undefined, cors, comeBack);
  }
  const framing = new EventFraming(wish.channels, new Map(wish.positions), redeemed?.mark);
  return new StreamReader({ sessions, request, socket, framing, isFirst: true, headers: cors }).response;
}

function subscribes({ channels, positions, rewind, isWatching }: Wish): object[] {
  return channels.map((channel) => {
    const position = positions && (positions.get(channel) ?? NOWHERE);
    const watch = isWatching && traitsOf(channel).presence && { presence: "watch" };
    return {
      event: "subscribe",
      data: { channel, ...watch, ...(position && { position }), ...(rewind && { rewind }) },
    };
  });
}

/** The answers to what the server asked for in the client's stead, as they are sent to its socket. */
class Answers {
  readonly #missing: Set<string>;
  readonly #decided = Promise.withResolvers<void>();
  #isDecided = false;
  refused: EventHead | undefined;

  constructor(channels: readonly string[]) {
    this.#missing = new Set(channels);
  }

  noted(frame: string): string {
    if (!this.#isDecided) this.#note(splitEventFrame(frame).head);
    return frame;
  }

  async within(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isDecided && !signal.aborted) {
      const timer = setTimeout(this.#decided.resolve, ms);
      signal.addEventListener("abort", () => this.#decided.resolve());
      await this.#decided.promise;
      clearTimeout(timer);
    }
    this.#isDecided = true;
  }

  #note(head: EventHead): void {
    if (head.kind === "subscribed") this.#missing.delete(head.channel ?? "");
    if (head.kind === "refused") this.refused = head;
    this.#isDecided = this.#missing.size === 0 || head.kind === "refused" || head.kind === "closing";
    if (this.#isDecided) this.#decided.resolve();
  }
}

// ---- what becomes of those that are not let in

function endedResponse(why: Disconnect, cors: Cors, comeBack: string): Response {
  if (DISCONNECTS[why.code] === "never" && !PASSING.has(why.code)) return refusalResponse(why, cors);
  return closingStream(why, closingEvent, cors, comeBack);
}

function refusedResponse(
  { code = "internal", message = "", channel }: EventHead,
  isSignedIn: boolean,
  cors: Cors,
  comeBack: string,
): Response {
  const known: number | undefined = Object.hasOwn(COMMAND_STATUS, code)
    ? COMMAND_STATUS[code as keyof typeof COMMAND_STATUS]
    : undefined;
  if (known === undefined || known === 429 || known >= 500 || PASSING.has(code)) {
    return closingStream({ code, message, afterMs: undefined }, closingEvent, cors, comeBack);
  }
  const about = channel === undefined || message.includes(channel) ? message : `${channel}: ${message}`;
  return errorResponse(known === 401 && isSignedIn ? 403 : known, code, about, cors);
}
