/** Speaks the Pusher protocol by hand, so that tests see each frame: connecting, subscribing, signing, calling the HTTP API. */

import { createHash, createHmac } from "node:crypto";
import { APP, type AppKeys, socketUrl } from "./server.ts";
import { type Closed, connect, type TestFrame, type TestSocket, type TrustOptions, type Wanted } from "./socket.ts";

/** HMAC-SHA256 in lower-case hex: what every signature of the protocol is. */
export function sign(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** `KEY:signature` for a private or presence channel. */
export function channelAuth(app: AppKeys, socketId: string, channel: string, channelData?: string): string {
  const data = channelData === undefined ? "" : `:${channelData}`;
  return `${app.key}:${sign(app.secret, `${socketId}:${channel}${data}`)}`;
}

/** `KEY:signature` for signing in. */
export function userAuth(app: AppKeys, socketId: string, userData: string): string {
  return `${app.key}:${sign(app.secret, `${socketId}::user::${userData}`)}`;
}

// ---- a client

export interface PusherOptions {
  readonly app?: AppKeys;
  /** Of the address: "/prefix" of a server with a path. */
  readonly prefix?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TrustOptions;
}

export interface SubscribeOptions {
  /** Presence: `{ user_id, user_info }`, or the text to send and sign as it is. */
  readonly data?: object | string;
  /** Instead of a right signature; an empty text for none. */
  readonly auth?: string;
  /** `position`, `recover`, `previous_socket_ids`: what a client that connected with `recover=1` may say of the past. */
  readonly past?: object;
}

/** Of the address of a client that recovers. */
export const RECOVER = "protocol=7&client=js&version=8.6.0&recover=1";

/** `url` is the server's, `http://host:port`. Resolves after `pusher:connection_established`. */
export async function connectPusher(url: string, options: PusherOptions = {}): Promise<PusherTestClient> {
  const socket = await dialPusher(url, options);
  const { data } = await socket.next("pusher:connection_established");
  const established = JSON.parse(String(data)) as { socket_id: string; activity_timeout: number };
  return new PusherTestClient(socket, options.app ?? APP, established.socket_id, established.activity_timeout);
}

/** Only the socket, for handshakes that are to be refused. */
export function dialPusher(url: string, options: PusherOptions = {}): Promise<TestSocket> {
  const {
    app = APP,
    prefix = "",
    query = "protocol=7&client=js&version=8.6.0&flash=false",
    headers = {},
    tls,
  } = options;
  const address = socketUrl(url, `${prefix}/app/${app.key}${query && `?${query}`}`);
  return connect(address, { headers, ...(tls && { tls }) });
}

export class PusherTestClient {
  readonly socket: TestSocket;
  readonly app: AppKeys;
  readonly socketId: string;
  readonly activityTimeoutS: number;

  constructor(socket: TestSocket, app: AppKeys, socketId: string, activityTimeoutS: number) {
    this.socket = socket;
    this.app = app;
    this.socketId = socketId;
    this.activityTimeoutS = activityTimeoutS;
  }

  /** Signs where the channel needs it. Resolves with what `subscription_succeeded` says, rejects with the error's frame. */
  async subscribe(channel: string, options: SubscribeOptions = {}): Promise<unknown> {
    return JSON.parse(String((await this.subscribed(channel, options)).data));
  }

  /** The same; resolves with the whole frame. */
  async subscribed(channel: string, options: SubscribeOptions = {}): Promise<TestFrame> {
    this.sendSubscribe(channel, options);
    const answer = await this.next((frame) => isAnswerTo(channel, frame));
    if (answer.event === "pusher_internal:subscription_succeeded") return answer;
    throw new Error(`Subscribing to ${channel} was refused: ${JSON.stringify(answer)}`);
  }

  /** Without waiting for the answer. */
  sendSubscribe(channel: string, { data, auth, past }: SubscribeOptions = {}): void {
    const channelData = data === undefined || typeof data === "string" ? data : JSON.stringify(data);
    const needsAuth = channel.startsWith("private-") || channel.startsWith("presence-");
    this.send("pusher:subscribe", {
      channel,
      auth: auth ?? (needsAuth ? channelAuth(this.app, this.socketId, channel, channelData) : ""),
      ...(channelData === undefined ? {} : { channel_data: channelData }),
      ...past,
    });
  }

  unsubscribe(channel: string): void {
    this.send("pusher:unsubscribe", { channel });
  }

  /** Resolves with the frame that answers: `pusher:signin_success` or `pusher:error`. */
  signin(user: object | string, auth?: string): Promise<TestFrame> {
    const userData = typeof user === "string" ? user : JSON.stringify(user);
    this.send("pusher:signin", { auth: auth ?? userAuth(this.app, this.socketId, userData), user_data: userData });
    return this.next(({ event }) => event === "pusher:signin_success" || event === "pusher:error");
  }

  /** A client event where a channel is named, a protocol event where not. */
  send(event: string, data: unknown, channel?: string): void {
    this.socket.send({ event, data, ...(channel === undefined ? {} : { channel }) });
  }

  next(wanted?: Wanted, timeoutMs?: number): Promise<TestFrame> {
    return this.socket.next(wanted, timeoutMs);
  }

  /** The next event of the channel, whatever its name. */
  nextIn(channel: string, timeoutMs?: number): Promise<TestFrame> {
    return this.socket.next((frame) => frame.channel === channel, timeoutMs);
  }

  silence(forMs?: number, wanted?: Wanted): Promise<void> {
    return this.socket.silence(forMs, wanted);
  }

  /** Round trip: when it resolves, the server has handled everything sent before. */
  async ping(): Promise<void> {
    this.send("pusher:ping", {});
    await this.next("pusher:pong");
  }

  close(): Promise<Closed> {
    return this.socket.close();
  }
}

function isAnswerTo(channel: string, { event, channel: of }: TestFrame): boolean {
  if (event === "pusher:error") return true;
  return (
    of === channel && (event === "pusher_internal:subscription_succeeded" || event === "pusher:subscription_error")
  );
}

// ---- the HTTP API

export interface CallOptions {
  readonly query?: Readonly<Record<string, string>>;
  /** Text is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TrustOptions;
  /** Lie: in place of what would be right. `null` leaves the parameter out. */
  readonly tamper?: Tampering;
}

export interface Tampering {
  readonly key?: string | null;
  /** Unix seconds. */
  readonly timestamp?: string | number | null;
  readonly version?: string | null;
  readonly bodyMd5?: string | null;
  readonly signature?: string | null;
  /** Sign with this secret. */
  readonly secret?: string;
  /** Send this body instead of the one that was signed. */
  readonly body?: string;
  /** Sign this path instead of the one that is called. */
  readonly path?: string;
}

/** Calls the HTTP API, signed. `path` is below `/apps/{id}`: "/events", unless it starts with "/apps/". */
export function signedFetch(url: string, app: AppKeys, method: string, path: string, options: CallOptions = {}) {
  const { tls } = options;
  const body = options.tamper?.body ?? bodyText(options.body);
  return fetch(signedUrl(url, app, method, path, options), {
    method,
    headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...options.headers },
    ...(body === undefined ? {} : { body }),
    ...(tls && { tls: { ...tls } }),
  });
}

/** Publishes one event and throws when that is not answered 200. */
export async function trigger(url: string, app: AppKeys, event: object): Promise<unknown> {
  const response = await signedFetch(url, app, "POST", "/events", { body: event });
  if (response.status !== 200) throw new Error(`POST /events: ${response.status} ${await response.text()}`);
  return response.json();
}

export function signedUrl(url: string, app: AppKeys, method: string, path: string, options: CallOptions = {}): string {
  const { query = {}, tamper = {} } = options;
  const fullPath = path.startsWith("/apps/") ? path : `/apps/${app.id}${path}`;
  const parameters = { ...query, ...authParameters(app, bodyText(options.body), tamper) };
  const text = `${method.toUpperCase()}\n${tamper.path ?? fullPath}\n${signedQuery(parameters)}`;
  const signature = tamper.signature === undefined ? sign(tamper.secret ?? app.secret, text) : tamper.signature;
  const search = new URLSearchParams(parameters);
  if (signature !== null) search.set("auth_signature", signature);
  return `${url}${fullPath}?${search}`;
}

function authParameters(app: AppKeys, body: string | undefined, tamper: Tampering): Record<string, string> {
  const md5 = body === undefined || body === "" ? null : createHash("md5").update(body).digest("hex");
  const right = { key: app.key, timestamp: Math.floor(Date.now() / 1000), version: "1.0", bodyMd5: md5 };
  const { key, timestamp, version, bodyMd5 } = { ...right, ...tamper };
  const all = { auth_key: key, auth_timestamp: timestamp, auth_version: version, body_md5: bodyMd5 };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
  );
}

/** Pusher protocol, HTTP API: keys in lower case and sorted, values not escaped. */
function signedQuery(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

function bodyText(body: unknown): string | undefined {
  return body === undefined || typeof body === "string" ? body : JSON.stringify(body);
}
