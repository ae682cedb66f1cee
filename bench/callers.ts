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

export async function trigger({ port, callers, forMs, request = PUSHER }: Calling): Promise<Called> {
  const requests = Array.from({ length: REQUESTS }, (_, n) => requestBytes(request, n));
  let answered = 0;
  let refused = 0;
  let over = false;
  const ask = (socket: Socket<Caller>) => {
    socket.data.answer = "";
    socket.write(requests[socket.data.next++ % REQUESTS] ?? "");
  };
  const hear = (socket: Socket<Caller>, bytes: Buffer) => {
    const answer = socket.data.answer + bytes.toString("latin1");
    socket.data.answer = answer;
    if (over || !isWhole(answer)) return;
    if (answer.startsWith("HTTP/1.1 200")) answered++;
    else refused++;
    ask(socket);
  };
  const sockets = await Promise.all(
    Array.from({ length: callers }, (_, n) =>
      Bun.connect<Caller>({
        hostname: "127.0.0.1",
        port,
        data: { next: n * 7, answer: "" },
        socket: { data: hear },
      }),
    ),
  );
  for (const socket of sockets) ask(socket);
  await Bun.sleep(forMs);
  over = true;
  for (const socket of sockets) socket.end();
  return { answered, refused };
}

/** One at a time at a rate, each sent when it is due whether or not the one before it was answered; says when each was sent. */
export async function triggerSteadily(calling: SteadyCalling): Promise<number[]> {
  const { port, request, perSecond, messages } = calling;
  const requests = Array.from({ length: REQUESTS }, (_, n) => requestBytes(request, n));
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  const startMs = performance.now();
  const sentAtMs: number[] = [];
  for (let n = 0; n < messages; n++) {
    const waitMs = startMs + (n * 1000) / perSecond - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    sentAtMs.push(nowMs());
    socket.write(requests[n % REQUESTS] ?? "");
  }
  await Bun.sleep(100);
  socket.end();
  return sentAtMs;
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
