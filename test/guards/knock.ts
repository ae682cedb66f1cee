/** A WebSocket handshake by hand, from any address of this machine (127.0.0.2 is one, too), for answers that are no 101. */

import { connect } from "node:net";
import { atEnd } from "../support/at-end.ts";
import { type RawHandshake, RawSocket } from "../support/raw-socket.ts";
import { APP } from "../support/server.ts";

export interface KnockOptions {
  readonly from?: string;
  /** For X-Forwarded-For. */
  readonly forwardedFor?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

export interface Knocked extends RawHandshake {
  readonly socket: RawSocket;
}

export const PUSHER_PATH = `/app/${APP.key}?protocol=7`;

export async function knock(url: string, options: KnockOptions = {}): Promise<Knocked> {
  const { from = "127.0.0.1", forwardedFor, headers = {}, path = PUSHER_PATH } = options;
  const socket = await dialFrom(url, from);
  const forwarded = forwardedFor === undefined ? {} : { "X-Forwarded-For": forwardedFor };
  return { socket, ...(await socket.handshake(path, { ...forwarded, ...headers })) };
}

/** The status of an HTTP GET. */
export async function statusOf(url: string, path: string, options: KnockOptions = {}): Promise<number> {
  const socket = await dialFrom(url, options.from ?? "127.0.0.1");
  const forwarded = options.forwardedFor === undefined ? "" : `X-Forwarded-For: ${options.forwardedFor}\r\n`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${forwarded}\r\n`);
  await socket.until(() => socket.text.includes("\r\n\r\n"), "the answer");
  return Number(socket.text.split(" ")[1]);
}

async function dialFrom(url: string, localAddress: string): Promise<RawSocket> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const tcp = connect({ host: hostname, port: Number(port), localAddress }, resolve);
  tcp.on("error", reject);
  const socket = new RawSocket(tcp);
  atEnd(() => socket.cut());
  await promise;
  return socket;
}
