/**
 * Checks what stands in front of a server for those who come by HTTP because WebSockets are blocked: is each line passed on when it is
 * written, and is a response left open, a silent one too?
 */

import type { Config } from "../../config/load.ts";
import { messageOf } from "../../domain/thrown.ts";
import { call, problemIn } from "../http.ts";
import { fieldOf, parseJson } from "../json.ts";
import { type Finding, findings } from "./finding.ts";
import { HeldStream } from "./held-stream.ts";

const { ok, warning, problem } = findings("streams");

export interface StreamCheck {
  readonly http: Config["http"];
  /** How long streams are held open. */
  readonly watchMs: number;
  /** How long a line may take before it counts as held back. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 5_000;
/** A line that takes longer was collected with others. */
const SLOW_MS = 1_000;
const PING_EVERY_MS = 1_000;

const PASS_ON =
  "let the proxy pass on at once what it gets (nginx: proxy_buffering off, or no proxy_ignore_headers for X-Accel-Buffering; " +
  "Apache: flushpackets=on; Caddy: flush_interval -1; a CDN: no cache and no compression for /pusher/app and /rt)";

const ROUTE = "let the proxy pass /pusher/app and /rt on to Fanfare, as it does WebSockets; POST too";

/** `url` is http: or https:, without a slash at its end. */
export async function checkStreams(url: string, key: string, check: StreamCheck): Promise<Finding[]> {
  const { pusher, native } = check.http;
  if (!pusher && !native) return [ok("nobody may come by HTTP (http.pusher and http.native are off)")];
  try {
    const route = native ? await nativeFinding(url) : [];
    if (!pusher)
      return [...route, ok("streams are not watched: http.pusher is off, and with it the one that needs no token")];
    return [...route, ...(await watched(url, key, { patienceMs: PATIENCE_MS, ...check }))];
  } catch (error) {
    const [why] = messageOf(error).split("\n", 1);
    return [problem(`HTTP transports cannot be reached through ${url}: ${why}`, ROUTE)];
  }
}

/** A session that there is not is answered by Fanfare, and by nothing else, so. */
async function nativeFinding(url: string): Promise<Finding[]> {
  const answer = await call(`${url}/rt/stream?session=0.doctor`, { method: "POST" });
  if (fieldOf(parseJson(answer.text), "code") === "session_gone") return [];
  return [problem(`POST ${url}/rt/stream is answered ${answer.status} (${problemIn(answer)})`, ROUTE)];
}

type Watching = Required<StreamCheck>;

/** One stream is silent, the other is written to every second: that tells a proxy that cuts what is silent from one that cuts everything. */
async function watched(url: string, key: string, watching: Watching): Promise<Finding[]> {
  const silent = new HeldStream(addressOf(url, key));
  const busy = new HeldStream(addressOf(url, key));
  try {
    const held =
      (await unopened(busy, watching)) ?? (await unopened(silent, watching)) ?? (await heldBack(busy, watching));
    if (held) return [held];
    return [await keptOpen(silent, busy, watching)];
  } finally {
    silent.close();
    busy.close();
  }
}

/** Where pusher-js looks for it. */
function addressOf(url: string, key: string): string {
  const prefix = new URL(url).pathname === "/" ? "/pusher" : "";
  const [server, session] = [Math.floor(Math.random() * 1000), crypto.randomUUID().slice(0, 8)];
  return `${url}${prefix}/app/${encodeURIComponent(key)}/${server}/${session}`;
}

/** What kept it from being opened. */
async function unopened(stream: HeldStream, { patienceMs }: Watching): Promise<Finding | undefined> {
  const status = await stream.open(patienceMs);
  if (status === undefined) return notPassedOn("nothing of it has come", patienceMs);
  if (status !== 200) return problem(`an HTTP stream (POST /pusher/app/…/xhr_streaming) is answered ${status}`, ROUTE);
  if (await stream.has("pusher:connection_established", patienceMs)) return undefined;
  if (closeLine(stream) !== undefined) return refused(stream);
  return notPassedOn(stream.text === "" ? "nothing of it has come" : "only its first bytes have come", patienceMs);
}

function notPassedOn(what: string, afterMs: number): Finding {
  return problem(`the proxy holds HTTP streams back: ${what} within ${secondsIn(afterMs)}`, PASS_ON);
}

/** What the server says when it ends a stream itself. */
function closeLine({ text }: HeldStream): string | undefined {
  return /^c\[.*\]$/m.exec(text)?.[0];
}

function refused(stream: HeldStream): Finding {
  const says = `how HTTP streams pass was not seen: the server ended one with ${closeLine(stream)}`;
  return warning(says, "run doctor with the server's configuration, whose first app it uses, or try again");
}

async function heldBack(stream: HeldStream, { patienceMs }: Watching): Promise<Finding | undefined> {
  const took = await stream.ping(patienceMs);
  if (typeof took === "object") {
    return problem(`what a client sends by HTTP (POST /pusher/app/…/xhr_send) is answered ${took.status}`, ROUTE);
  }
  if (took === undefined && stream.endedAtMs === undefined) {
    return notPassedOn("the first lines came, and the next has not", patienceMs);
  }
  if (took === undefined || took <= SLOW_MS) return undefined;
  return warning(
    `the proxy collects lines of HTTP streams: one came ${secondsIn(took)} after it was asked for`,
    PASS_ON,
  );
}

async function keptOpen(silent: HeldStream, busy: HeldStream, watching: Watching): Promise<Finding> {
  const { watchMs, patienceMs, http } = watching;
  const [tookMs] = await Promise.all([keptBusy(busy, watching), silent.silent(watchMs)]);
  if (closeLine(silent) !== undefined) return refused(silent);
  const [silentMs, busyMs] = [silent, busy].map(livedMs);
  if (busyMs !== undefined) return everyCut(Math.min(busyMs, silentMs ?? busyMs), http);
  if (silentMs !== undefined) return silentCut(silentMs, http);
  if ((await silent.ping(patienceMs).catch(() => undefined)) === undefined) {
    const says = `a response that was silent for ${secondsIn(watchMs)} is dead, though nobody has closed it`;
    return problem(says, waitLonger(http, watchMs));
  }
  return ok(
    `HTTP streams pass: an answer came after ${Math.round(tookMs)} ms, and a silent one stayed open for ${secondsIn(watchMs)}`,
  );
}

/** Resolves with how long the quickest answer took. */
async function keptBusy(stream: HeldStream, { watchMs, patienceMs }: Watching): Promise<number> {
  const untilMs = performance.now() + watchMs;
  let quickestMs = Number.POSITIVE_INFINITY;
  while (stream.endedAtMs === undefined && performance.now() < untilMs) {
    const took = await stream.ping(patienceMs).catch(() => undefined);
    if (typeof took === "number") quickestMs = Math.min(quickestMs, took);
    await stream.over(Math.min(PING_EVERY_MS, Math.max(0, untilMs - performance.now())));
  }
  return quickestMs;
}

function livedMs({ openedAtMs, endedAtMs }: HeldStream): number | undefined {
  return endedAtMs === undefined ? undefined : endedAtMs - openedAtMs;
}

function silentCut(afterMs: number, http: Config["http"]): Finding {
  return problem(`the proxy cuts a response that is silent: after ${secondsIn(afterMs)}`, waitLonger(http, afterMs));
}

function waitLonger({ keepAliveS, pollS }: Config["http"], ms: number): string {
  const most = Math.max(1, Math.floor(ms / 1000) - 1);
  return (
    "let the proxy wait longer for the next byte (nginx: proxy_read_timeout 3600s; HAProxy: timeout server 1h; a cloud's balancer: its idle " +
    `timeout), or set http.keepAliveS (${keepAliveS}) and http.pollS (${pollS}) to ${most} at most`
  );
}

/** A client of the native protocol goes on where it was; pusher-js takes it twice, and polls from then on. */
function everyCut(afterMs: number, { pollS }: Config["http"]): Finding {
  const change =
    "let responses take as long as they like where the proxy can be told so (a cloud's balancer: its request or backend timeout). Native clients " +
    "go on where they were; pusher-js polls when it was cut twice within four minutes";
  const polls = afterMs < pollS * 1000 ? `; set http.pollS (${pollS}) to less than that` : "";
  return warning(`the proxy cuts every response, written to or not: after ${secondsIn(afterMs)}`, change + polls);
}

function secondsIn(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}
