/** Speaks the native protocol by hand, so that tests see each frame; and makes the tokens it is spoken with. */

import type { WireWelcome } from "fanfare/wire/native";
import { type JWTPayload, SignJWT } from "jose";
import { channelAuth } from "./pusher-client.ts";
import { APP, type AppKeys, socketUrl } from "./server.ts";
import { type Closed, connect, type TestFrame, type TestSocket, type TrustOptions, type Wanted } from "./socket.ts";

export interface NativeOptions {
  /** The `token` parameter of the address. */
  readonly token?: string;
  /** Sent in the first frame, as `authenticate`, in place of a token in the address. */
  readonly credentials?: object;
  /** The `app` parameter: a key. */
  readonly app?: string;
  /** Of the address: "/" unless the server has a path. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TrustOptions;
}

/** A token as an app's back end makes it without any rules of its own: HS256 with the app's secret. */
export function makeToken(claims: JWTPayload, secret: string = APP.secret): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret));
}

/** Resolves after `welcome`. `url` is the server's, `http://host:port`. */
export async function connectNative(url: string, options: NativeOptions = {}): Promise<NativeTestClient> {
  const socket = await dialNative(url, options);
  const welcome = await socket.next();
  if (welcome.event !== "welcome") throw new Error(`Not welcomed, but told: ${JSON.stringify(welcome)}`);
  return new NativeTestClient(socket, welcome);
}

/** Signed in as that user, with whatever else the token claims. */
export async function connectAs(url: string, user: string, claims: JWTPayload = {}): Promise<NativeTestClient> {
  return connectNative(url, { token: await makeToken({ sub: user, ...claims }) });
}

/** Only the socket, for handshakes that are to be refused. */
export async function dialNative(
  url: string,
  { token, credentials, app, path = "/", headers = {}, tls }: NativeOptions = {},
): Promise<TestSocket> {
  const query = new URLSearchParams({
    ...(token !== undefined && { token }),
    ...(app !== undefined && { app }),
    ...(credentials !== undefined && { auth: "frame" }),
  });
  const address = socketUrl(url, `${path}${query.size > 0 ? `?${query}` : ""}`);
  const socket = await connect(address, { headers, ...(tls && { tls }) });
  if (credentials !== undefined) socket.send({ event: "authenticate", data: credentials });
  return socket;
}

export class NativeTestClient {
  readonly socket: TestSocket;
  readonly welcome: WireWelcome;
  #asked = 0;

  constructor(socket: TestSocket, welcome: TestFrame) {
    this.socket = socket;
    this.welcome = welcome.data as unknown as WireWelcome;
  }

  get id(): string {
    return this.welcome.id;
  }

  /** Without waiting for an answer, and without asking for one. */
  send(event: string, data?: unknown): void {
    this.socket.send(data === undefined ? { event } : { event, data });
  }

  /** Resolves with the frame that repeats the command's id, whatever it says. */
  ask(event: string, data?: unknown): Promise<TestFrame> {
    const id = `ask-${++this.#asked}`;
    this.socket.send(data === undefined ? { event, id } : { event, id, data });
    return this.socket.next((frame) => frame.id === id);
  }

  /** Rejects with the error's frame. */
  async subscribe(channel: string, permission: object = {}): Promise<TestFrame> {
    const answer = await this.ask("subscribe", { channel, ...permission });
    if (answer.event === "subscribed") return answer;
    throw new Error(`Subscribing to ${channel} was refused: ${JSON.stringify(answer)}`);
  }

  /** What the app's back end would answer for this connection, to be sent along with `subscribe`. */
  permission(channel: string, member?: object, app: AppKeys = APP): { auth: string; channel_data?: string } {
    const data = member === undefined ? undefined : JSON.stringify(member);
    const auth = channelAuth(app, this.id, channel, data);
    return data === undefined ? { auth } : { auth, channel_data: data };
  }

  next(wanted?: Wanted, timeoutMs?: number): Promise<TestFrame> {
    return this.socket.next(wanted, timeoutMs);
  }

  silence(forMs?: number, wanted?: Wanted): Promise<void> {
    return this.socket.silence(forMs, wanted);
  }

  /** Round trip: when it resolves, the server has handled everything sent before. */
  async ping(): Promise<void> {
    await this.ask("ping");
  }

  /** Every frame that came and was not yet taken, after a round trip. */
  async unread(): Promise<readonly TestFrame[]> {
    await this.ping();
    return this.socket.unread;
  }

  close(): Promise<Closed> {
    return this.socket.close();
  }
}
