/** One subscription by the Pusher protocol over the standard WebSocket, held across reconnects. */

import { createHmac, randomBytes } from "node:crypto";
import { backoffMs } from "../domain/backoff.ts";
import { CliError } from "./errors.ts";
import { unreachableSocket } from "./http.ts";

/** One event as it arrived. */
export interface Arrived {
  readonly event: string;
  readonly channel: string;
  /** As text, as the protocol carries it. */
  readonly data: string;
  readonly userId?: string;
}

export interface Listening {
  /** ws: or wss:, with the path prefix. */
  readonly url: string;
  readonly key: string;
  readonly secret?: string;
  readonly channel: string;
  readonly onEvent: (arrived: Arrived) => void;
  /** Something to know that is no event. */
  readonly onNote: (note: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the signal says so; throws CliError when there is no use in going on. */
export async function listen(listening: Listening): Promise<void> {
  const userId = `cli-${randomBytes(4).toString("hex")}`;
  let attempt = 0;
  let everConnected = false;
  while (!listening.signal.aborted) {
    const ended = await connect(listening, userId);
    if (listening.signal.aborted) return;
    everConnected ||= ended.connected;
    attempt = ended.subscribed ? 1 : attempt + 1;
    if (!everConnected && ended.code < 4000) throw await unreachableSocket(listening.url);
    const delayMs = retryDelayMs(ended.code, attempt, Math.random());
    if (ended.fatal !== undefined) throw new CliError(ended.fatal);
    if (delayMs === undefined) throw new CliError(`the server closed the connection: ${ended.reason} (${ended.code})`);
    listening.onNote(
      `connection lost (${ended.code}${ended.reason ? `: ${ended.reason}` : ""}), trying again in ${(delayMs / 1000).toFixed(1)} s`,
    );
    await pause(delayMs, listening.signal);
  }
}

/** Pusher protocol, close codes: 4000-4099 give up, 4100-4199 after a second or more, 4200-4299 at once, others soon.
 * Jittered, so that a thousand clients do not come back as one. */
export function retryDelayMs(code: number, attempt: number, random: number): number | undefined {
  if (code >= 4000 && code < 4100) return undefined;
  const atOnce = code >= 4200 && code < 4300;
  if (atOnce && attempt <= 1) return random * 250;
  const ceiling = backoffMs(attempt, RETRY_BACKOFF);
  const least = atOnce ? 0 : 1000;
  return least + random * (ceiling - least);
}

const RETRY_BACKOFF = { minMs: 1_000, maxMs: 30_000 };

/** `KEY:hex`, with the data it signs. Pusher protocol, authenticating users. */
export function permission(socketId: string, channel: string, key: string, secret: string, userId: string) {
  const presence = channel.startsWith("presence-");
  const channelData = presence ? JSON.stringify({ user_id: userId }) : undefined;
  const signed = [socketId, channel, ...(channelData === undefined ? [] : [channelData])].join(":");
  const auth = `${key}:${createHmac("sha256", secret).update(signed).digest("hex")}`;
  return channelData === undefined ? { auth } : { auth, channel_data: channelData };
}

export function needsPermission(channel: string): boolean {
  return channel.startsWith("private-") || channel.startsWith("presence-");
}

interface Ended {
  readonly code: number;
  readonly reason: string;
  readonly connected: boolean;
  readonly subscribed: boolean;
  /** Why trying again would not help. */
  readonly fatal?: string;
}

/** One connection, from its opening to its end. */
function connect(listening: Listening, userId: string): Promise<Ended> {
  return new Attempt(listening, userId).ended;
}

class Attempt {
  readonly ended: Promise<Ended>;
  readonly #listening: Listening;
  readonly #userId: string;
  readonly #socket: WebSocket;
  readonly #watch: Watch;
  #connected = false;
  #subscribed = false;
  #lastError = "";
  #fatal: string | undefined;

  constructor(listening: Listening, userId: string) {
    const { url, key, signal } = listening;
    this.#listening = listening;
    this.#userId = userId;
    this.#socket = new WebSocket(`${url}/app/${encodeURIComponent(key)}?protocol=7&client=fanfare-cli`);
    this.#watch = watch(this.#socket);
    this.#socket.onmessage = ({ data }) => {
      this.#watch.heard();
      const frame = typeof data === "string" ? frameFrom(data) : undefined;
      if (frame !== undefined) this.#on(frame);
    };
    const { promise, resolve } = Promise.withResolvers<Ended>();
    const onAbort = () => this.#socket.close();
    signal.addEventListener("abort", onAbort);
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code, reason }) => {
      this.#watch.stop();
      signal.removeEventListener("abort", onAbort);
      resolve(this.#end(code, reason));
    };
    this.ended = promise;
  }

  #on(frame: Frame): void {
    const { channel, onEvent, onNote } = this.#listening;
    switch (frame.event) {
      case "pusher:connection_established":
        return this.#subscribe(fieldsOf(frame.data));
      case "pusher:ping":
        return this.#send("pusher:pong", {});
      case "pusher:pong":
        return;
      case "pusher_internal:subscription_succeeded":
        this.#subscribed = true;
        return onNote(`listening on ${channel}`);
      case "pusher:subscription_error":
        return this.#giveUp(`the server refused ${channel}: ${fieldsOf(frame.data).error ?? "it gives no reason"}`);
      case "pusher:error":
        return this.#onError(fieldsOf(frame.data));
      default:
        if (frame.channel === channel) onEvent(arrivedFrom(frame, channel));
    }
  }

  #subscribe({ socket_id, activity_timeout }: Fields): void {
    const { channel, key, secret } = this.#listening;
    this.#connected = true;
    this.#watch.every(Number(activity_timeout) || DEFAULT_ACTIVITY_TIMEOUT_S);
    const signs = secret !== undefined && needsPermission(channel);
    const proof = signs ? permission(String(socket_id), channel, key, secret, this.#userId) : {};
    this.#send("pusher:subscribe", { channel, ...proof });
  }

  /** With a code below 4300 the server closes next, and the code says whether to come back. */
  #onError({ message, code }: Fields): void {
    this.#lastError = String(message ?? "it gives no reason");
    if (typeof code === "number" && code >= 4000 && code < 4300) return;
    if (this.#subscribed) this.#listening.onNote(`the server says: ${this.#lastError}`);
    else this.#giveUp(`the server refused ${this.#listening.channel}: ${this.#lastError}`);
  }

  #send(event: string, data: unknown): void {
    this.#socket.send(JSON.stringify({ event, data }));
  }

  #giveUp(why: string): void {
    this.#fatal = why;
    this.#socket.close();
  }

  #end(code: number, reason: string): Ended {
    const ended = { code, reason: reason || this.#lastError, connected: this.#connected, subscribed: this.#subscribed };
    return this.#fatal === undefined ? ended : { ...ended, fatal: this.#fatal };
  }
}

interface Watch {
  readonly heard: () => void;
  readonly every: (silenceS: number) => void;
  readonly stop: () => void;
}

/** Asks after silence whether the server is there, and drops the connection when it does not answer. */
function watch(socket: WebSocket): Watch {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let silenceMs = CONNECT_TIMEOUT_MS;
  let established = false;
  const ask = () => {
    if (!established) return socket.close();
    socket.send('{"event":"pusher:ping","data":{}}');
    timer = setTimeout(() => socket.close(), ANSWER_TIMEOUT_MS);
  };
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, silenceMs);
  };
  heard();
  const every = (silenceS: number) => {
    established = true;
    silenceMs = silenceS * 1000;
    heard();
  };
  return { heard, every, stop: () => clearTimeout(timer) };
}

/** pusher-js: opening a connection may take 15 s, an answer to a ping 30 s. */
const CONNECT_TIMEOUT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 30_000;
const DEFAULT_ACTIVITY_TIMEOUT_S = 120;

interface Frame {
  readonly event: string;
  readonly channel?: unknown;
  readonly data?: unknown;
  readonly user_id?: unknown;
}

function frameFrom(text: string): Frame | undefined {
  const value = parsed(text);
  if (typeof value !== "object" || value === null || !("event" in value)) return undefined;
  return typeof value.event === "string" ? { ...value, event: value.event } : undefined;
}

function arrivedFrom({ event, data, user_id }: Frame, channel: string): Arrived {
  const arrived = {
    event: event.replace(/^pusher_internal:/, "pusher:"),
    channel,
    data: typeof data === "string" ? data : JSON.stringify(data ?? {}),
  };
  return typeof user_id === "string" ? { ...arrived, userId: user_id } : arrived;
}

type Fields = Readonly<Record<string, unknown>>;

/** Control data is an object, or a string that holds one: clients have to take both. */
function fieldsOf(data: unknown): Fields {
  const value = typeof data === "string" ? parsed(data) : data;
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = () => {
    clearTimeout(timer);
    resolve();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return promise;
}
