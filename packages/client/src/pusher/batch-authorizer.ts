/** Permission for all channels in one request, where pusher-js asks once for each: 40 channels are 40 requests after each reconnect. */

import type { ChannelAuthorizationCallback, ChannelAuthorizationHandler } from "pusher-js";
import type { Awaitable } from "../types.ts";

export interface BatchAuthorizerOptions {
  /** A route of your back end. It gets `{"connectionId","channels"}` and answers `{"channels":{NAME:{"auth","channel_data"?}|{"error":{"code","message"}}}}`. */
  readonly endpoint: string;
  /** Headers, or a function that is called before each request: for a CSRF token, for example. */
  readonly headers?: HeadersInit | (() => Awaitable<HeadersInit>);
  /** Default `"same-origin"`; `"include"` also sends the cookies of a back end on another origin. */
  readonly credentials?: RequestCredentials;
  /** How long to wait for further channels, in milliseconds. Default 15. */
  readonly waitMs?: number;
}

interface Asked {
  readonly channel: string;
  readonly callback: ChannelAuthorizationCallback;
}

interface Answer {
  readonly auth?: string;
  readonly channel_data?: string;
  readonly error?: { readonly message?: string };
}

/** A back end need not sign more at once. */
const MOST_CHANNELS = 100;
const TRIES = 3;
const TIMEOUT_MS = 10_000;

/**
 * For `channelAuthorization: { customHandler: batchAuthorizer({ endpoint }) }`. What fails with a network error, 429 or 5xx is tried three
 * times, so that a back end that is away for a moment costs no channel.
 */
export function batchAuthorizer(options: BatchAuthorizerOptions): ChannelAuthorizationHandler {
  const { waitMs = 15 } = options;
  const waiting = new Map<string, Asked[]>();
  return ({ socketId, channelName: channel }, callback) => {
    const asked = waiting.get(socketId) ?? [];
    asked.push({ channel, callback });
    if (asked.length > 1) return;
    waiting.set(socketId, asked);
    setTimeout(() => {
      waiting.delete(socketId);
      for (let at = 0; at < asked.length; at += MOST_CHANNELS)
        ask(socketId, asked.slice(at, at + MOST_CHANNELS), options);
    }, waitMs);
  };
}

async function ask(connectionId: string, asked: readonly Asked[], options: BatchAuthorizerOptions): Promise<void> {
  const channels = [...new Set(asked.map(({ channel }) => channel))];
  const body = JSON.stringify({ connectionId, channels });
  let answers: Record<string, Answer> = {};
  let problem = "The back end's answer does not name the channel.";
  try {
    const response = await request(body, options);
    if (response.ok) answers = (await response.json()).channels;
    else problem = `The back end answered ${response.status}.`;
  } catch (error) {
    problem = String(error);
  }
  for (const { channel, callback } of asked) {
    const answer = answers?.[channel];
    // Each by itself: one that throws does not take the others with it.
    queueMicrotask(() => {
      if (answer?.auth) callback(null, { ...answer, auth: answer.auth });
      else callback(new Error(answer?.error?.message ?? problem), null);
    });
  }
}

async function request(body: string, options: BatchAuthorizerOptions): Promise<Response> {
  const { endpoint, headers, credentials = "same-origin" } = options;
  for (let tries = 1; ; tries++) {
    const isLast = tries === TRIES;
    try {
      const all = new Headers(typeof headers === "function" ? await headers() : headers);
      for (const name of ["Content-Type", "Accept"]) all.set(name, "application/json");
      // React Native has no such signal.
      const signal = AbortSignal.timeout?.(TIMEOUT_MS) ?? null;
      const response = await fetch(endpoint, { method: "POST", body, headers: all, credentials, signal });
      if (isLast || (response.status !== 429 && response.status < 500)) return response;
    } catch (error) {
      if (isLast) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries * (0.5 + Math.random())));
  }
}
