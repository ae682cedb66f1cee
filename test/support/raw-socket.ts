/** A TCP connection with frames made by hand: for what no proper client would ever send. RFC 6455. */

import { connect as connectTcp, type Socket } from "node:net";
import { atEnd } from "./at-end.ts";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  readonly opcode: number;
  readonly fin: boolean;
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number;
  readonly payload: Buffer;
}

export interface FrameOptions {
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** What the header claims, where that is not the payload's length. */
  readonly claims?: bigint;
}

export interface RawHandshake {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

type Payload = string | Uint8Array;

const PATIENCE_MS = 20_000;
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

/** A frame as it goes over the wire. */
export function rawFrame(opcode: number, payload: Payload = "", options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, masked = true } = options;
  const data = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const length = lengthBytes(options.claims ?? BigInt(data.length));
  if (masked) length[0] = (length[0] ?? 0) | 0x80;
  const body = masked ? Buffer.concat([MASK, data.map((byte, at) => byte ^ (MASK[at % 4] ?? 0))]) : data;
  return Buffer.concat([Buffer.from([first]), length, body]);
}

/** The payload of a close frame. */
export function closePayload(code: number, reason: Payload = ""): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

function lengthBytes(length: bigint): Buffer {
  if (length < 126n) return Buffer.from([Number(length)]);
  if (length < 65_536n) return Buffer.from([126, Number(length >> 8n), Number(length & 0xffn)]);
  const bytes = Buffer.alloc(9);
  bytes[0] = 127;
  bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

/** Opens a TCP connection to the server at `url`, and says nothing. Cut at the end of the test or file. */
export async function connectRaw(url: string): Promise<RawSocket> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connectTcp({ host: hostname, port: Number(port) }, resolve);
  socket.on("error", reject);
  const raw = new RawSocket(socket);
  atEnd(() => raw.cut());
  await promise;
  return raw;
}

/** The same with the WebSocket handshake done. */
export async function connectRawWebSocket(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawSocket> {
  const raw = await connectRaw(url);
  const { status } = await raw.handshake(path, headers);
  if (status !== 101) throw new Error(`The handshake at ${path} was answered ${status}`);
  return raw;
}

export class RawSocket {
  /** Resolves when the server has ended the connection. */
  readonly closed: Promise<void>;
  readonly frames: RawFrame[] = [];
  readonly #socket: Socket;
  /** What came and was not understood yet. */
  #received: Buffer = Buffer.alloc(0);
  #speaksFrames = false;
  #isClosed = false;
  #wake = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    const ended = () => {
      this.#isClosed = true;
      resolve();
      this.#stir();
    };
    socket.on("data", (chunk) => this.#take(Buffer.from(chunk)));
    socket.on("end", ended);
    socket.on("close", ended);
    socket.on("error", ended);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What came and is not a whole frame: the answer to a plain HTTP request. */
  get text(): string {
    return this.#received.toString("latin1");
  }

  write(bytes: Payload): void {
    if (!this.#isClosed) this.#socket.write(bytes);
  }

  /** Sends one frame, or pieces of one message as their options say. */
  send(opcode: number, payload?: Payload, options?: FrameOptions): void {
    this.write(rawFrame(opcode, payload, options));
  }

  /** Takes nothing more off the wire, so that it backs up into the server. */
  stall(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  cut(): void {
    this.#socket.destroy();
  }

  async handshake(
    path: string,
    headers: Readonly<Record<string, string>> = {},
    withinMs = PATIENCE_MS,
  ): Promise<RawHandshake> {
    this.write(handshakeText(path, headers));
    await this.until(() => this.#received.includes("\r\n\r\n"), "the answer to the handshake", withinMs);
    const end = this.#received.indexOf("\r\n\r\n");
    const [statusLine = "", ...lines] = this.#received.subarray(0, end).toString("latin1").split("\r\n");
    this.#received = this.#received.subarray(end + 4);
    this.#speaksFrames = true;
    this.#parse();
    const pairs = lines.map((line) => line.split(/:\s*/, 2));
    return {
      status: Number(statusLine.split(" ")[1]),
      headers: Object.fromEntries(pairs.map(([name = "", value = ""]) => [name.toLowerCase(), value])),
    };
  }

  /** Takes the next frame. Rejects when the connection ends without one. */
  async next(opcode?: number): Promise<RawFrame> {
    const find = () => this.frames.findIndex((frame) => opcode === undefined || frame.opcode === opcode);
    await this.until(() => find() >= 0, `a frame${opcode === undefined ? "" : ` of opcode ${opcode}`}`);
    const [frame] = this.frames.splice(find(), 1);
    if (!frame) throw new Error("The frame that was there is gone");
    return frame;
  }

  /** How the server ended it: the code of its close frame, or undefined where it just hung up. */
  async ending(withinMs = PATIENCE_MS): Promise<number | undefined> {
    const bye = () => this.frames.find(({ opcode }) => opcode === OPCODE.close);
    await this.until(() => bye() !== undefined || this.#isClosed, "the end", withinMs);
    const { payload } = bye() ?? {};
    return payload && payload.length >= 2 ? payload.readUInt16BE() : undefined;
  }

  /** Waits for the condition; rejects when it does not come true in time, or the connection ends before. */
  async until(condition: () => boolean, label: string, withinMs = PATIENCE_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!condition()) {
      if (this.#isClosed) throw new Error(`The server hung up while waiting for ${label}; it said: ${this.#said()}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`Waited ${withinMs} ms for ${label}; the server said: ${this.#said()}`);
      await Promise.race([this.#wake.promise, Bun.sleep(Math.min(left, 100))]);
    }
  }

  #take(chunk: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.#speaksFrames) this.#parse();
    this.#stir();
  }

  #parse(): void {
    for (let parsed = parseFrame(this.#received); parsed; parsed = parseFrame(this.#received)) {
      this.frames.push(parsed.frame);
      this.#received = this.#received.subarray(parsed.size);
    }
  }

  #stir(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  #said(): string {
    const frames = this.frames.map(({ opcode, payload }) => `${opcode}:${payload.toString("latin1").slice(0, 200)}`);
    return JSON.stringify([...frames, this.text.slice(0, 500)]);
  }
}

function handshakeText(path: string, headers: Readonly<Record<string, string>>): string {
  const all = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function parseFrame(bytes: Buffer): { frame: RawFrame; size: number } | undefined {
  const [first = 0, second = 0] = bytes;
  const marker = second & 0x7f;
  const headSize = 2 + (marker === 126 ? 2 : marker === 127 ? 8 : 0);
  if (bytes.length < headSize) return undefined;
  const length = marker === 126 ? bytes.readUInt16BE(2) : marker === 127 ? Number(bytes.readBigUInt64BE(2)) : marker;
  const size = headSize + length;
  if (bytes.length < size) return undefined;
  const payload = Buffer.from(bytes.subarray(headSize, size));
  return { frame: { opcode: first & 0x0f, fin: first >= 0x80, rsv: (first >> 4) & 7, payload }, size };
}
