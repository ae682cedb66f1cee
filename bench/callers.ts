/** Back ends that trigger over HTTP: each sends a signed request, waits for the answer, and sends the next. */

import { createHash, createHmac } from "node:crypto";
import type { Socket } from "bun";
import { nowMs } from "./contender.ts";
import { APP } from "./credentials.ts";
import { dataFor, EVENT } from "./message.ts";

/** How a publication is asked for. */
export interface Request {
  /** Pusher's signed HTTP API, Centrifugo's with a key, or a route that checks nothing. */
  readonly kind: "pusher" | "centrifugo" | "plain";
  /** Default: another channel for each request, in which nobody is. */
  readonly channel?: string;
}

export interface Calling {
  readonly port: number;
  readonly callers: number;
  readonly forMs: number;
  /** Calls: where a server answers sooner than it delivers, no more than it can deliver in time. Default: as many as it answers. */
  readonly atMost?: number;
  /** Default: Pusher's HTTP API. */
  readonly request?: Request;
}

export interface SteadyCalling {
  readonly port: number;
  readonly request: Request;
  readonly perSecond: number;
  readonly messages: number;
}

export interface Called {
  readonly answered: number;
  readonly refused: number;
}

interface Caller {
  next: number;
  /** What is there of the answer. */
  answer: string;
}

/** Signed beforehand, so that the generator does not spend its time on signatures; a server verifies each anew. */
const REQUESTS = 512;

export async function trigger({ port, callers, forMs, atMost, request = PUSHER }: Calling): Promise<Called> {
  const requests = Array.from({ length: REQUESTS }, (_, n) => requestBytes(request, n));
  const called = { answered: 0, refused: 0 };
  const sockets = new Set<Socket<Caller>>();
  const enough = Promise.withResolvers<void>();
  let over = false;
  let left = atMost ?? Number.POSITIVE_INFINITY;
  const ask = (socket: Socket<Caller>) => {
    if (left-- <= 0) return;
    socket.data.answer = "";
    socket.write(requests[socket.data.next++ % REQUESTS] ?? "");
  };
  const call = async (next: number) => {
    const socket = await Bun.connect<Caller>({
      ...at(port),
      data: { next, answer: "" },
      socket: {
        data(socket, bytes) {
          const answer = socket.data.answer + bytes.toString("latin1");
          socket.data.answer = answer;
          if (over || !isWhole(answer)) return;
          if (answer.startsWith("HTTP/1.1 200")) called.answered++;
          else called.refused++;
          if (called.answered + called.refused === atMost) enough.resolve();
          if (isLast(answer)) leave(socket);
          else ask(socket);
        },
        // One that was not announced.
        close(socket) {
          if (!over && sockets.delete(socket)) called.refused++;
        },
      },
    });
    if (over) socket.end();
    else ask(socket);
    sockets.add(socket);
  };
  const leave = (socket: Socket<Caller>) => {
    sockets.delete(socket);
    socket.end();
    if (left <= 0) return;
    call(socket.data.next).catch(() => {
      if (!over) called.refused++;
    });
  };
  await Promise.all(Array.from({ length: callers }, (_, n) => call(n * 7)));
  await Promise.race([Bun.sleep(forMs), enough.promise]);
  over = true;
  for (const socket of sockets) socket.end();
  return called;
}

/**
 * One at a time at a rate, each sent when it is due whether or not the one before it was answered, by a connection that waits for
 * nothing; says when each was sent.
 */
export async function triggerSteadily(calling: SteadyCalling): Promise<number[]> {
  const { port, request, perSecond, messages } = calling;
  const requests = Array.from({ length: REQUESTS }, (_, n) => requestBytes(request, n));
  const free: Socket<Caller>[] = [];
  const all = new Set<Socket<Caller>>();
  let over = false;
  const connect = async () => {
    const socket = await Bun.connect<Caller>({
      ...at(port),
      data: { next: 0, answer: "" },
      socket: {
        async data(socket, bytes) {
          socket.data.answer += bytes.toString("latin1");
          if (!isWhole(socket.data.answer)) return;
          const last = isLast(socket.data.answer);
          socket.data.answer = "";
          if (last) socket.end();
          if (!over) free.push(last ? await connect() : socket);
        },
        close: (socket) => void all.delete(socket),
      },
    });
    all.add(socket);
    return socket;
  };
  free.push(await connect());
  const startMs = performance.now();
  const sentAtMs: number[] = [];
  for (let n = 0; n < messages; n++) {
    const waitMs = startMs + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    const socket = free.shift() ?? (await connect());
    sentAtMs.push(nowMs());
    socket.write(requests[n % REQUESTS] ?? "");
    over = n === messages - 1;
  }
  await Bun.sleep(100);
  for (const socket of all) socket.end();
  return sentAtMs;
}

const at = (port: number) => ({ hostname: "127.0.0.1", port });

/** soketi closes the connection after each answer, and says so. */
function isLast(answer: string): boolean {
  return /^connection: close\r$/im.test(answer);
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(answer)?.[1];
  return answer.length >= end + 4 + Number(length ?? 0);
}

const PUSHER: Request = { kind: "pusher" };

function requestBytes({ kind, channel }: Request, n: number): Uint8Array {
  const message = { name: EVENT, channel: channel ?? `trigger-${n}`, data: { ...dataFor("pusher"), n } };
  switch (kind) {
    case "pusher":
      return signedRequest({ ...message, data: JSON.stringify(message.data) });
    case "centrifugo": {
      const body = JSON.stringify({ channel: message.channel, data: message.data });
      return post("/api/publish", body, [`X-API-Key: ${APP.secret}`]);
    }
    case "plain":
      return post("/", JSON.stringify(message));
  }
}

/** Pusher protocol, "HTTP API": authentication. */
function signedRequest(message: object): Uint8Array {
  const body = JSON.stringify(message);
  const path = `/apps/${APP.id}/events`;
  const query = [
    `auth_key=${APP.key}`,
    `auth_timestamp=${Math.floor(Date.now() / 1000)}`,
    "auth_version=1.0",
    `body_md5=${createHash("md5").update(body).digest("hex")}`,
  ].join("&");
  const signature = createHmac("sha256", APP.secret).update(`POST\n${path}\n${query}`).digest("hex");
  return post(`${path}?${query}&auth_signature=${signature}`, body);
}

function post(path: string, body: string, headers: readonly string[] = []): Uint8Array {
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    ...headers,
  ];
  return new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`);
}
