/** What a client sent by a request, carried out where its connection is, and what is answered. */

import { Disconnect } from "../../domain/error.ts";
import { isOriginAllowed } from "../../guards/origin.ts";
import { errorResponse, HttpError, isKnownError } from "../../http/error-response.ts";
import { receive, receivePing } from "../../hub/execute.ts";
import type { Hub } from "../../hub/hub.ts";
import { AheadError } from "./commands.ts";
import { isOfPage, type Session, takeRequest } from "./session.ts";

/** What lets pages of other origins read an answer. */
export type Cors = Readonly<Record<string, string>>;

/** Crosses between nodes. */
export interface Outcome {
  readonly status: number;
  readonly code?: string;
  readonly error?: string;
  /** The number of the command that is missing. */
  readonly expected?: number;
}

export const SESSION_GONE: Outcome = {
  status: 410,
  code: "session_gone",
  error: "There is no such session any more: open one, with the positions you have.",
};

const TOO_MANY = "The session sends more requests than framesPerSecond, or 20 in a second: try again later.";
export const TOO_MANY_REQUESTS: Outcome = { status: 429, code: "rate_limited", error: TOO_MANY };

export const TOO_MANY_MISSES: Outcome = {
  status: 429,
  code: "rate_limited",
  error: "Your address asks for many sessions that are not there: try again later.",
};

export const NOT_THE_PAGE: Outcome = {
  status: 403,
  code: "unauthorized",
  error: "The session is another page's, or this origin may not connect to this app (allowedOrigins).",
};

/** Why the page may not have the session. */
export function refusalFor(session: Session, origin: string | null): Outcome | undefined {
  const { connection } = session;
  const isAllowed = isOfPage(session, origin) && (!connection || isOriginAllowed(connection.app, origin));
  return isAllowed ? undefined : NOT_THE_PAGE;
}

/** Lets a native client's request wait that comes too early. Why it is not handled, where too many wait or the session has ended meanwhile. */
export async function waitForTurn(hub: Hub, session: Session): Promise<Outcome | undefined> {
  const waitMs = takeRequest(session, hub.clock.monotonicMs());
  if (waitMs === undefined) return TOO_MANY_REQUESTS;
  if (waitMs > 0) await Bun.sleep(waitMs);
  return session.socket.isEnded ? SESSION_GONE : undefined;
}

/** The same for pusher-js, which sends nothing again: one with too many is told that it floods. */
export async function waitAsPusher(hub: Hub, session: Session): Promise<void> {
  const waitMs = pusherWaitMs(hub, session);
  if (waitMs > 0) await Bun.sleep(waitMs);
}

function pusherWaitMs(hub: Hub, session: Session): number {
  const waitMs = takeRequest(session, hub.clock.monotonicMs());
  const { connection } = session;
  if (waitMs === undefined && connection) hub.disconnect(connection, new Disconnect("flooded", TOO_MANY));
  return waitMs ?? 0;
}

/** By its client, as a WebSocket is. */
export function closeSession(hub: Hub, { connection, socket }: Session): Outcome {
  if (!connection) return SESSION_GONE;
  hub.close(connection, CLOSED_BY_CLIENT);
  socket.terminate();
  return { status: 204 };
}

const CLOSED_BY_CLIENT = 1000;

/** What pusher-js sends, in the order in which the requests came, whichever was read first. */
export function deliverInTurn(hub: Hub, session: Session, reading: Promise<readonly string[]>): Promise<Outcome> {
  const waitMs = pusherWaitMs(hub, session);
  const before = session.sending;
  const sending = reading.then(async (frames) => {
    await before;
    if (waitMs > 0) await Bun.sleep(waitMs);
    return deliverFrames(hub, session, frames);
  });
  session.sending = Promise.allSettled([before, sending]);
  return sending;
}

/** Frames of Pusher's; none is a sign of life, and is answered by one. */
async function deliverFrames(hub: Hub, session: Session, frames: readonly string[]): Promise<Outcome> {
  const { connection, socket } = session;
  if (!connection) return SESSION_GONE;
  await socket.resumed;
  if (frames.length === 0) {
    receivePing(hub, connection);
    socket.giveSignOfLife();
  }
  for (const frame of frames) receive(hub, connection, frame);
  return outcomeOf(session);
}

/** Commands of a native client, the first of which is its `seq`-th. */
export async function deliverCommands(
  hub: Hub,
  session: Session,
  seq: number,
  commands: readonly string[],
): Promise<Outcome> {
  const { connection, socket } = session;
  if (!connection) return SESSION_GONE;
  await socket.resumed;
  try {
    await session.commands.receive(hub, connection, seq, commands);
  } catch (error) {
    if (!(error instanceof AheadError)) throw error;
    return { status: error.status, code: error.code, error: error.message, expected: error.expected };
  }
  return outcomeOf(session);
}

function outcomeOf({ connection }: Session): Outcome {
  const why = connection?.disconnectReason;
  return why?.code === "flooded" ? { status: 429, code: why.code, error: why.message } : { status: 204 };
}

export function outcomeResponse(outcome: Outcome, cors: Cors): Response {
  const { status, code = "internal", error = "", expected } = outcome;
  if (status === 204) return new Response(null, { status, headers: cors });
  if (expected !== undefined) return Response.json({ error, code, expected }, { status, headers: cors });
  return errorResponse(status, code, error, cors);
}

export function outcomeError({ status, code = "internal", error = "" }: Outcome): HttpError {
  return new HttpError(status, code, error);
}

/** What was thrown, for those who run the server: a bug, or a client that was not let in. */
export function observeRefusal(hub: Hub, error: unknown, address: string, during: string): void {
  if (!isKnownError(error)) return hub.observe({ type: "failed", error, during });
  if (error.code !== "token_invalid") return;
  hub.observe({ type: "rejected", address, why: new Disconnect("token_invalid", error.message) });
}
