/** Back ends that trigger over HTTP: each sends a signed request, waits for the answer, and sends the next. */

import { createHash, createHmac } from "node:crypto";
import type { Socket } from "bun";
import { APP } from "./credentials.ts";
import { dataFor, EVENT } from "./message.ts";

export interface Calling {
  readonly port: number;
  readonly callers: number;
  readonly forMs: number;
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

export async function trigger({ port, callers, forMs }: Calling): Promise<Called> {
  const requests = Array.from({ length: REQUESTS }, (_, n) => signedRequest(n));
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

function isWhole(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(answer)?.[1];
  return answer.length >= end + 4 + Number(length ?? 0);
}

/** Pusher protocol, "HTTP API": authentication. */
function signedRequest(n: number): Uint8Array {
  const body = JSON.stringify({
    name: EVENT,
    channel: `trigger-${n}`,
    data: JSON.stringify({ ...dataFor("pusher"), n }),
  });
  const path = `/apps/${APP.id}/events`;
  const query = [
    `auth_key=${APP.key}`,
    `auth_timestamp=${Math.floor(Date.now() / 1000)}`,
    "auth_version=1.0",
    `body_md5=${createHash("md5").update(body).digest("hex")}`,
  ].join("&");
  const signature = createHmac("sha256", APP.secret).update(`POST\n${path}\n${query}`).digest("hex");
  const head = [
    `POST ${path}?${query}&auth_signature=${signature} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
  ];
  return new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`);
}
