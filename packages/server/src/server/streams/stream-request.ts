/** A request of a client that has no WebSocket: who asks, of which app, from which page, and for which node. */

import type { Config } from "../../config/schema/schema.ts";
import type { App } from "../../domain/app.ts";
import type { AppStore, Awaitable } from "../../domain/ports.ts";
import { isOriginAllowed } from "../../guards/origin.ts";
import { errorResponseFor, HttpError, isKnownError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { Caller } from "../http/caller.ts";
import type { Route } from "../http/router.ts";
import type { HandshakeOptions } from "../websocket/listen-options.ts";
import { type Cors, observeRefusal, outcomeError, SESSION_GONE, TOO_MANY_MISSES } from "./deliver.ts";
import { type Closing, forEventSource } from "./framing.ts";
import type { Sessions } from "./sessions.ts";
import type { Tickets } from "./tickets.ts";

/** What routes of such requests need. */
export interface StreamOptions {
  readonly options: HandshakeOptions;
  readonly sessions: Sessions;
  readonly tickets: Tickets;
  readonly path: string;
}

export interface StreamRequest {
  readonly request: Request;
  readonly url: RequestUrl;
  readonly listener: Parameters<Route>[2];
}

/** How requests of one kind are answered. */
export interface PageAnswer {
  readonly preflight: Preflight;
  /** For the log. */
  readonly during: string;
  /** Where an EventSource may ask: what it is told in place of a status. */
  readonly closing?: Closing;
  readonly findApp: () => Awaitable<App | undefined>;
  readonly act: (app: App | undefined, cors: Cors) => Promise<Response>;
}

/** As the page that asks may read it, what goes wrong too. Never rejects. */
export async function answerPage(
  options: HandshakeOptions,
  asked: StreamRequest,
  answer: PageAnswer,
): Promise<Response> {
  const { request } = asked;
  const origin = request.headers.get("origin");
  let cors = corsHeaders(undefined, origin);
  try {
    const app = await answer.findApp();
    cors = corsHeaders(app, origin);
    if (request.method === "OPTIONS") return preflightResponse(app, origin, answer.preflight);
    return await answer.act(app, cors);
  } catch (error) {
    const { address } = callerOf(options, asked);
    observeRefusal(options.hub, error, address, answer.during);
    if (isKnownError(error) && error.code === SESSION_GONE.code) options.ipConnectionLimiter.noteMiss(address);
    const response = errorResponseFor(error, cors);
    const { closing } = answer;
    return closing && request.method === "GET" ? forEventSource(response, closing, cors) : response;
  }
}

/** Who asks for many sessions that are not there may not have other nodes asked. Throws HttpError. */
export function checkMisses(options: HandshakeOptions, asked: StreamRequest): void {
  const { address } = callerOf(options, asked);
  if (options.ipConnectionLimiter.hasMissedTooOften(address)) throw outcomeError(TOO_MANY_MISSES);
}

export function callerOf({ identify }: HandshakeOptions, { request, url, listener }: StreamRequest): Caller {
  return identify(request, url, listener);
}

/** The app that a request names. Throws HttpError where the program, or its database, does not say. */
export async function findApp(apps: AppStore, key: string): Promise<App | undefined> {
  try {
    return await apps.byKey(key);
  } catch (error) {
    if (isKnownError(error)) throw error;
    throw new HttpError(503, "internal", "The app cannot be looked up now: try again.");
  }
}

/** How long a browser remembers what it may do at one address. */
const MAX_AGE_S = 7_200;

/** What pages of other origins may call: the app's `allowedOrigins`, asked with every request. Credentials are allowed only where a cookie may let in. Without an app, which nobody keeps to itself, all may read. */
export function corsHeaders(app: App | undefined, origin: string | null): Cors {
  if (!app || app.allowedOrigins.length === 0) return { "Access-Control-Allow-Origin": "*" };
  const headers = { Vary: "Origin" };
  if (origin === null || !isOriginAllowed(app, origin)) return headers;
  const credentials = app.token?.cookie !== undefined && { "Access-Control-Allow-Credentials": "true" };
  return { ...headers, ...credentials, "Access-Control-Allow-Origin": origin };
}

export interface Preflight {
  readonly methods: string;
  readonly headers: string;
}

function preflightResponse(app: App | undefined, origin: string | null, { methods, headers }: Preflight): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...corsHeaders(app, origin),
      "Access-Control-Allow-Methods": methods,
      "Access-Control-Allow-Headers": headers,
      "Access-Control-Max-Age": String(MAX_AGE_S),
    },
  });
}

/**
 * Where a client's further requests come to the node that has its connection, and need not be passed on. Undefined where that is not
 * known, where it has a scheme or a port of its own, and where the client is there already.
 */
export function pinFor(
  { nodeUrl, http }: Pick<Config, "nodeUrl" | "http">,
  { headers }: Request,
  { isEncrypted }: Caller,
): URL | undefined {
  const host = headers.get("host");
  if (nodeUrl === undefined || host === null || http.pin === "off") return undefined;
  const node = new URL(nodeUrl.replace(/^ws/, "http"));
  const here = `${isEncrypted ? "https" : "http"}://${host}`;
  if (!URL.canParse(here)) return undefined;
  const { protocol, hostname, port } = new URL(here);
  return node.protocol === protocol && node.port === port && node.hostname !== hostname ? node : undefined;
}
