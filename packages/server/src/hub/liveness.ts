/** Whether a connection is still alive: judged by what came in, never by what went out. */

import type { Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { Push } from "../domain/message.ts";
import { checkExpiry, NOTICE_MS, type RefreshHost } from "./expiry.ts";
import { endGrants, grantsEndAtMs } from "./grants.ts";
import { sign } from "./signature.ts";
import type { Tenants } from "./tenants.ts";

/** Pusher protocol 4 and older know no pings but those of WebSocket: closed 4202 after a day of silence. */
const SILENCE_MS = 24 * 3_600_000;

/** Time for a client that says by its first frame who it is. */
const FIRST_FRAME_MS = 10_000;

/** Below it there may be no look between a ping and the end of the wait for its answer. */
const SHORT_PONG_S = 3;

/** A look that comes so much too late finds sockets unread, and nothing can be said of them before the next. */
const STILL_MS = 500;

/** The close code of a socket that ended without a close frame. */
const ABNORMAL = 1006;

interface Timeouts {
  readonly activityTimeoutS: number;
  readonly pongTimeoutS: number;
}

/** As the hub is. */
interface Host extends RefreshHost {
  readonly limits: Timeouts & { readonly readerLagS: number };
  push(connection: Connection, push: Push): void;
  close(connection: Connection, code: number): void;
}

/**
 * Whether `checkLiveness` may find anything to do. Two comparisons instead of two dozen, for a connection that is looked at every second
 * and has something to be done every ten.
 */
export function isCheckDue({ checkAtMs, expiresAtMs }: Connection, nowMs: number): boolean {
  return nowMs >= checkAtMs || expiresAtMs - nowMs <= NOTICE_MS;
}

/** The client was heard. */
export function noteSignOfLife(connection: Connection, nowMs: number): void {
  // What was next was the end of the wait for an answer, which may be later than the next ping is.
  if (connection.pingedAtMs > 0) connection.checkAtMs = 0;
  connection.lastSeenMs = nowMs;
  connection.pingedAtMs = 0;
}

/** Pings a silent connection, disconnects one that does not answer or whose token has ended, and cuts a slow consumer. The last look was at `lookedAtMs`. */
export function checkLiveness(
  hub: Host,
  tenants: Tenants,
  connection: Connection,
  nowMs: number,
  lookedAtMs: number,
): void {
  if (connection.grants) endGrants(hub, connection, nowMs);
  const verdict = checkExpiry(hub, connection, nowMs) ?? judge(connection, nowMs, hub.limits);
  if (verdict instanceof Disconnect) return hub.disconnect(connection, verdict);
  if (verdict === "ping") ping(hub, connection, nowMs);
  else if (isAskedAgain(connection, nowMs, lookedAtMs, hub.limits)) connection.socket?.ping();
  if (connection.frameQueue?.hasPending) compensatePause(connection, lookedAtMs, nowMs);
  switch (judgeReader(connection, nowMs, hub.limits.readerLagS, tenants)) {
    case "probe":
      connection.checkAtMs = 0;
      return sendProbe(connection, connection.socket, probeText(connection, nowMs));
    case "cut":
      // Without a close frame, which would have to wait behind all the rest.
      hub.observe({ type: "slow-consumer", connection, limit: "limits.readerLagS" });
      hub.close(connection, ABNORMAL);
      return connection.socket?.terminate();
  }
  connection.checkAtMs = nextCheckMs(connection, nowMs, hub.limits);
}

/** One frame: a second would cost a quiet connection as much again. WebSocket's own ping where the protocol has none. */
function ping(hub: Host, connection: Connection, nowMs: number): void {
  connection.pingedAtMs = nowMs;
  const byFrame = hasPingFrame(connection);
  if (byFrame) hub.push(connection, { type: "ping" });
  if (!byFrame || hub.limits.pongTimeoutS < SHORT_PONG_S) connection.socket?.ping();
}

function hasPingFrame({ answersPings, protocol }: Connection): boolean {
  return answersPings && protocol.encode({ type: "ping" }) !== undefined;
}

/** Whether it is time, since the last look, to ask by WebSocket too: a client that knows no pings of its protocol may yet answer that one. */
function isAskedAgain(connection: Connection, nowMs: number, lookedAtMs: number, timeouts: Timeouts): boolean {
  const { pingedAtMs } = connection;
  const dueAtMs = pingedAtMs + askAgainMs(timeouts);
  return pingedAtMs > 0 && lookedAtMs < dueAtMs && nowMs >= dueAtMs && hasPingFrame(connection);
}

/** Within half of the time for an answer; sooner where proxies are said to wait less. */
function askAgainMs({ activityTimeoutS, pongTimeoutS }: Timeouts): number {
  return Math.min(activityTimeoutS * 1000, pongTimeoutS * 500);
}

/** When time alone may make something due. What comes in only puts that off, but for the answer to a ping; other settings make everything due at once. */
function nextCheckMs(connection: Connection, nowMs: number, limits: Host["limits"]): number {
  const { activityTimeoutS, pongTimeoutS, readerLagS } = limits;
  const { app, isAuthenticated, awaitsAuthentication, answersPings, pingedAtMs, lastSeenMs, probe } = connection;
  const grantsEnd = connection.grants ? grantsEndAtMs(connection) : Number.POSITIVE_INFINITY;
  const probeAtMs = Math.min(connection.probedAtMs + probePauseMs(readerLagS), grantsEnd);
  // A reader that is behind is judged at every look: for how long its turn makes it wait is counted from look to look.
  if (probe !== undefined || awaitsAuthentication || (app.requireAuthentication && !isAuthenticated)) return 0;
  if (connection.isOneWay) return probeAtMs;
  const isAwaited = answersPings && pingedAtMs > 0;
  const againAtMs = pingedAtMs + askAgainMs(limits);
  const silentAtMs = isAwaited
    ? nowMs < againAtMs
      ? againAtMs
      : pingedAtMs + pongTimeoutS * 1000
    : Math.max(lastSeenMs, pingedAtMs) + activityTimeoutS * 1000;
  const dayAtMs = answersPings ? Number.POSITIVE_INFINITY : lastSeenMs + SILENCE_MS;
  return Math.min(silentAtMs, dayAtMs, probeAtMs);
}

/** Known to those who have the app's secret, and nothing that any other signature is made of. */
function probeText({ app, id }: Connection, nowMs: number): string {
  return sign(app.secrets[0], `#probe ${id} ${nowMs}`).slice(0, 16);
}

/** A disconnect reason where its time is up, "ping" where it has to be asked, undefined where all is well. */
function judge(connection: Connection, nowMs: number, timeouts: Timeouts): Disconnect | "ping" | undefined {
  const { app, pingedAtMs, lastSeenMs } = connection;
  const unauthenticatedS = app.limits.unauthenticatedTimeoutS;
  if (
    app.requireAuthentication &&
    !connection.isAuthenticated &&
    nowMs - connection.openedAtMs > unauthenticatedS * 1000
  ) {
    const message = `Not signed in nor in any private channel after ${unauthenticatedS} seconds (unauthenticatedTimeoutS).`;
    return new Disconnect("authentication_timeout", message);
  }
  if (
    connection.awaitsAuthentication &&
    connection.turnsUnderWay === 0 &&
    nowMs - connection.openedAtMs > FIRST_FRAME_MS
  ) {
    const message = `No authenticate frame came within ${FIRST_FRAME_MS / 1000} seconds (?auth=frame).`;
    return new Disconnect("authentication_timeout", message);
  }
  if (connection.isOneWay) return undefined;
  const quietMs = nowMs - Math.max(lastSeenMs, pingedAtMs);
  if (!connection.answersPings) {
    if (nowMs - lastSeenMs > SILENCE_MS) {
      return new Disconnect("inactive", "Nothing was heard from the client for a day.");
    }
    // It does not answer, but proxies see that the connection is in use.
    return quietMs > timeouts.activityTimeoutS * 1000 ? "ping" : undefined;
  }
  const verdict = judgeSilence(connection, nowMs, timeouts);
  return verdict === "gone" ? new Disconnect("pong_missing", "No answer to a ping in time.") : verdict;
}

/** When anything last came in from a connection, of whatever kind. */
export interface Heartbeat {
  lastSeenMs: number;
  /** When it was sent a ping that is not answered; 0 when there is none. */
  pingedAtMs: number;
}

/** "ping" where it has to be asked for a sign of life, "gone" where it gave none in time. */
export function judgeSilence(
  { lastSeenMs, pingedAtMs }: Heartbeat,
  nowMs: number,
  { activityTimeoutS, pongTimeoutS }: Timeouts,
): "ping" | "gone" | undefined {
  if (pingedAtMs > 0) return nowMs - pingedAtMs > pongTimeoutS * 1000 ? "gone" : undefined;
  return nowMs - lastSeenMs > activityTimeoutS * 1000 ? "ping" : undefined;
}

/** Whether the server itself did not run for a while, so that what clients said may not have been read. */
export function hasStalled(lateMs: number): boolean {
  return lateMs > STILL_MS;
}

/** The server stood still for so long, in which nothing could come in: that time counts against no connection. */
export function compensateStall(connection: Connection, ms: number, nowMs: number): void {
  const { app, isAuthenticated, awaitsAuthentication, openedAtMs } = connection;
  compensateSilence(connection, ms, nowMs);
  if (awaitsAuthentication || (app.requireAuthentication && !isAuthenticated))
    connection.openedAtMs = Math.min(nowMs, openedAtMs + ms);
}

/** The same for a connection of any kind. */
export function compensateSilence(one: Heartbeat & Pick<Reader, "probedAtMs">, ms: number, nowMs: number): void {
  one.lastSeenMs = Math.min(nowMs, one.lastSeenMs + ms);
  one.probedAtMs = Math.min(nowMs, one.probedAtMs + ms);
  if (one.pingedAtMs > 0) one.pingedAtMs = Math.min(nowMs, one.pingedAtMs + ms);
}

/** The time for which the turn queue reads nothing from it, its pong neither, is not its lag. */
export function compensatePause(one: Pick<Reader, "probedAtMs">, sinceMs: number, nowMs: number): void {
  one.probedAtMs = Math.min(nowMs, one.probedAtMs + nowMs - sinceMs);
}

// ---- readers that fall behind

/**
 * How far a reader is behind. What is written to it is followed by a WebSocket ping every so often: the pong comes after
 * the data before it, so that its delay is the reader's. The kernel takes some 4 MB before anything waits in this process,
 * an hour's worth for a reader of 1 KB/s.
 */
export interface Reader {
  /** Something other than a ping or its answer was sent to it alone since it was last looked at. */
  wasSent: boolean;
  /** What the pong has to repeat; undefined while none is awaited. */
  probe: string | undefined;
  /** When that ping went out, or else when it was last looked whether one should. */
  probedAtMs: number;
}

const EVERY_MS = 10_000;

/** "probe" where `sendProbe` is due; "cut" where the reader is further behind than it may be. Call it every second or so. */
export function judgeReader<R extends Reader>(
  reader: R,
  nowMs: number,
  mostLagS: number,
  senders?: { wasSentTo(reader: R, sinceMs: number): boolean },
): "probe" | "cut" | undefined {
  const sinceMs = reader.probedAtMs;
  if (reader.probe !== undefined) return nowMs - sinceMs > mostLagS * 1000 ? "cut" : undefined;
  if (nowMs - sinceMs < probePauseMs(mostLagS)) return undefined;
  reader.probedAtMs = nowMs;
  return reader.wasSent || senders?.wasSentTo(reader, sinceMs) ? "probe" : undefined;
}

function probePauseMs(mostLagS: number): number {
  return Math.min(EVERY_MS, (mostLagS * 1000) / 3);
}

/** `text` is another each time, and cannot be guessed, or it could be answered before it is read. */
export function sendProbe(reader: Reader, socket: { ping(data: string): unknown } | undefined, text: string): void {
  reader.wasSent = false;
  reader.probe = text;
  socket?.ping(text);
}

/** Whether that is what was awaited. */
export function answersProbe(reader: Reader, payload: Uint8Array): boolean {
  if (reader.probe === undefined || new TextDecoder().decode(payload) !== reader.probe) return false;
  reader.probe = undefined;
  return true;
}
