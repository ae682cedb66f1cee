/** Thousands of clients that read by HTTP, on raw sockets, each as a library of its kind does. */

import type { Socket } from "bun";
import type { Arrivals } from "./arrivals.ts";
import { APP } from "./credentials.ts";
import { ResponseReader } from "./http-response.ts";
import { EVENT } from "./message.ts";

export type HttpTransport = "xhr_streaming" | "xhr_polling" | "stream" | "poll" | "events";

export interface HttpOpening {
  readonly transport: HttpTransport;
  readonly port: number;
  /** Where they read from once they are subscribed: a node that does not have their connections. */
  readonly readPort?: number;
  readonly channel: string;
  /** How many there are to be in the end. */
  readonly count: number;
  /** What counts as a frame: a text that no part of it repeats. Default: the name of the bench's event. */
  readonly counted?: string;
}

const OPENING_AT_ONCE = 100;
const SETUP_MS = 30_000;
const BUSY = 503;
const RETRY_MS = 500;
/** pusher-js hangs up on a response that is longer, and asks for another. */
const ROTATION_UNITS = 262_144;

export class HttpReaders {
  readonly #arrivals: Arrivals;
  readonly #readers: HttpReader[] = [];

  constructor(arrivals: Arrivals) {
    this.#arrivals = arrivals;
  }

  async open(opening: HttpOpening): Promise<void> {
    while (this.#readers.length < opening.count) {
      const batch = Math.min(OPENING_AT_ONCE, opening.count - this.#readers.length);
      const readers = Array.from({ length: batch }, () => new HttpReader(opening, this.#arrivals));
      await Promise.all(readers.map((reader) => reader.open()));
      this.#readers.push(...readers);
    }
  }

  close(): void {
    for (const reader of this.#readers.splice(0)) reader.close();
  }
}

let sessions = 0;

class HttpReader {
  readonly #opening: HttpOpening;
  readonly #arrivals: Arrivals;
  readonly #counter: TextCounter;
  readonly #isPoll: boolean;
  /** The path of its session, where the client makes it up. */
  readonly #path: string;
  #socket: Socket<ResponseReader> | undefined;
  /** What came so far, while it is set up; of a poll, the body under way. */
  #text: string | undefined = "";
  /** Requests whose place another has taken, or is about to take. */
  readonly #replaced = new Map<ResponseReader, Socket<ResponseReader>>();
  #lastPoll = "";
  #isSetUp = false;
  #units = 0;
  #port: number;
  #isClosed = false;
  #heard: (() => void) | undefined;

  constructor(opening: HttpOpening, arrivals: Arrivals) {
    this.#opening = opening;
    this.#arrivals = arrivals;
    this.#port = opening.port;
    this.#counter = new TextCounter(opening.counted ?? EVENT);
    this.#isPoll = opening.transport === "xhr_polling" || opening.transport === "poll";
    const n = sessions++;
    this.#path = `/pusher/app/${APP.key}/${n % 1000}/${n.toString(32).padStart(8, "0")}`;
  }

  /** Resolves when it is subscribed, and reads from where it is to read. */
  async open(): Promise<void> {
    const { transport, channel, port, readPort = port } = this.#opening;
    const subscribe = JSON.stringify({ event: "subscribe", data: { channel } });
    switch (transport) {
      case "events":
        await this.#ask("GET", `/rt/events?channels=${channel}`);
        await this.#until("fanfare:subscribed");
        break;
      case "stream":
      case "poll":
        await this.#ask("POST", `/rt/${transport}`, `${subscribe}\n`);
        await this.#until('"event":"subscribed"');
        break;
      case "xhr_streaming":
      case "xhr_polling":
        await this.#ask("POST", this.#xhr());
        await this.#until("connection_established");
        await this.#send(JSON.stringify({ event: "pusher:subscribe", data: { channel } }));
        await this.#until("subscription_succeeded");
        break;
    }
    const session = this.#session;
    this.#isSetUp = true;
    this.#text = this.#isPoll ? "" : undefined;
    if (readPort === port) return;
    this.#port = readPort;
    // A poll that waits where it is ends when the next one takes its place.
    if (transport === "xhr_streaming" || transport === "xhr_polling") await this.#ask("POST", this.#xhr());
    else await this.#ask("POST", `/rt/${transport}?session=${session}&ack=${this.#ack}`);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.end();
  }

  #session = "";
  #ack = 0;

  #xhr(): string {
    const kind = this.#isPoll ? "xhr" : "xhr_streaming";
    return `${this.#path}/${kind}?protocol=7&client=js&version=8.6.0`;
  }

  /** On a connection of its own. The server ends the request before it when this one takes its place. */
  async #ask(method: string, path: string, body = ""): Promise<void> {
    const reader: ResponseReader = new ResponseReader({
      body: (bytes) => this.#hear(bytes, reader),
      end: () => this.#ended(reader),
    });
    if (this.#socket) this.#replaced.set(this.#socket.data, this.#socket);
    this.#socket = await Bun.connect<ResponseReader>({
      hostname: "127.0.0.1",
      port: this.#port,
      data: reader,
      socket: {
        data: ({ data }, bytes) => data.add(bytes),
        close: ({ data }) => this.#cut(data),
      },
    });
    this.#units = 0;
    this.#lastPoll = requestText(method, path, body);
    this.#socket.write(this.#lastPoll);
  }

  #hear(bytes: Uint8Array, from: ResponseReader): void {
    if (from.status === BUSY) return;
    if (from.status !== 200) throw new Error(`${this.#opening.transport}: ${from.status} ${latin1(bytes)}`);
    const came = this.#counter.add(bytes);
    this.#units += bytes.length;
    if (this.#text !== undefined) this.#text += latin1(bytes);
    this.#heard?.();
    if (came > 0) this.#arrivals.add(came);
    if (this.#opening.transport === "xhr_streaming" && this.#units > ROTATION_UNITS) {
      this.#units = 0;
      void this.#ask("POST", this.#xhr());
    }
  }

  /** A poll was answered: the next one. */
  #ended(from: ResponseReader): void {
    if (this.#isClosed) return;
    if (this.#socket?.data !== from) {
      this.#replaced.get(from)?.end();
      this.#replaced.delete(from);
      return;
    }
    if (!this.#isPoll) return this.#cut(from);
    // A node that has too much to do is asked again, as clients do.
    if (from.status === BUSY) return void setTimeout(() => this.#socket?.write(this.#lastPoll), RETRY_MS);
    const body = this.#text ?? "";
    if (this.#isSetUp) this.#text = "";
    if (this.#opening.transport === "xhr_polling") {
      this.#poll(this.#xhr());
      return;
    }
    const start = body.lastIndexOf('{"session":');
    const [, session = "", seq] = /^\{"session":"([^"]+)","seq":(\d+)/.exec(body.slice(start)) ?? [];
    this.#session = session;
    this.#ack = Number(seq);
    this.#poll(`/rt/poll?session=${session}&ack=${seq}`);
  }

  #poll(path: string): void {
    this.#lastPoll = requestText("POST", path, "");
    this.#socket?.write(this.#lastPoll);
  }

  #cut(from: ResponseReader): void {
    if (this.#isClosed || this.#socket?.data !== from) return;
    this.#isClosed = true;
    this.#arrivals.lost++;
  }

  /** Resolves when the text has come, of a stream whose session it has then. */
  async #until(text: string): Promise<void> {
    const late = AbortSignal.timeout(SETUP_MS);
    while (!this.#text?.includes(text)) {
      if (late.aborted) throw new Error(`${this.#opening.transport}: no ${text} in ${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
        late.addEventListener("abort", () => resolve());
      });
    }
    this.#heard = undefined;
    if (this.#opening.transport !== "stream") return;
    this.#session = /"session":"([^"]+)"/.exec(this.#text)?.[1] ?? "";
    this.#ack = this.#text.split("\n").filter((line) => line.startsWith("{")).length;
  }

  async #send(frame: string): Promise<void> {
    const address = `http://127.0.0.1:${this.#opening.port}${this.#path}/xhr_send?t=1&n=1`;
    const { status } = await fetch(address, { method: "POST", body: JSON.stringify([frame]) });
    if (status !== 204) throw new Error(`xhr_send: ${status}`);
  }
}

/** Counts a text in bytes that come in pieces. */
class TextCounter {
  readonly #text: Buffer;
  /** How much of it came last. */
  #matched = 0;

  constructor(text: string) {
    this.#text = Buffer.from(text);
  }

  add(bytes: Uint8Array): number {
    const text = this.#text;
    let matched = this.#matched;
    let found = 0;
    for (const byte of bytes) {
      matched = byte === text[matched] ? matched + 1 : byte === text[0] ? 1 : 0;
      if (matched < text.length) continue;
      matched = 0;
      found++;
    }
    this.#matched = matched;
    return found;
  }
}

function requestText(method: string, path: string, body: string): string {
  const head = [`${method} ${path} HTTP/1.1`, "Host: 127.0.0.1"];
  if (method === "POST") head.push("Content-Type: text/plain", `Content-Length: ${body.length}`);
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
