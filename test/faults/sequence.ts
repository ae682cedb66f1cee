/** Readers of a sequence that cost next to nothing: each knows the number it is at, and looks at no more of a frame than that. */

import type { Socket } from "bun";
import { atEnd } from "../support/at-end.ts";
import { OPCODE, rawFrame } from "../support/raw-socket.ts";
import { APP } from "../support/server.ts";
import type { Language } from "./listener.ts";

/** What the numbers follow in a frame: see `listener.ts`. */
const BEFORE_NUMBER = Buffer.from('"data":"p-');
const [ZERO, NINE] = [0x30, 0x39];
const PATIENCE_MS = 20_000;

export class SequenceReader {
  /** The number that is to come next: so many came, in order and once. */
  next = 0;
  /** What came in place of the next one, or besides the sequence. */
  wrong: string | undefined;
  readonly #language: Language;
  readonly #channel: string;
  readonly #subscribed = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = false;
  /** Where in a frame the last number was found: the others are there as well. */
  #place = 0;

  constructor(language: Language, channel: string) {
    this.#language = language;
    this.#channel = channel;
  }

  /** Resolves when it is subscribed. */
  async open(url: string): Promise<void> {
    const { hostname, port } = new URL(url);
    const path = this.#language === "native" ? "/" : `/app/${APP.key}?protocol=7`;
    const lines = [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket"];
    const proof = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    this.#socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_, bytes) => this.#take(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
        close: () => this.#isWrong("the connection is closed"),
      },
    });
    this.#socket.write(`${lines.join("\r\n")}\r\n${proof}\r\n\r\n`);
    await this.#subscribed.promise;
  }

  close(): void {
    this.#socket?.end();
  }

  #take(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = this.#isOpen ? 0 : this.#shakeHands(all);
    while (this.#isOpen && at + 4 <= all.length) {
      const short = all.readUInt8(at + 1);
      const head = short < 126 ? 2 : 4;
      const end = at + head + (short < 126 ? short : all.readUInt16BE(at + 2));
      if (end > all.length) break;
      // The server asks now and then how far behind the reader is.
      if ((all.readUInt8(at) & 0x0f) === OPCODE.ping) this.#answer(all.subarray(at + head, end));
      else this.#read(all, at + head, end);
      at = end;
    }
    // What Bun gave is its own again after this turn.
    this.#rest = Buffer.from(all.subarray(at));
  }

  /** Where the frames begin. */
  #shakeHands(all: Buffer): number {
    const end = all.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    this.#isOpen = true;
    return end + 4;
  }

  #read(all: Buffer, start: number, end: number): void {
    const place = this.#placeOf(all, start, end);
    if (place === undefined) return this.#hear(all.toString("utf8", start, end));
    let number = 0;
    for (let at = place + BEFORE_NUMBER.length; at < end; at++) {
      const digit = all.readUInt8(at);
      if (digit < ZERO || digit > NINE) break;
      number = number * 10 + digit - ZERO;
    }
    if (number === this.next) this.next++;
    else this.#isWrong(`${number} in place of ${this.next}`);
  }

  #placeOf(all: Buffer, start: number, end: number): number | undefined {
    const guess = start + this.#place;
    const isWithin = guess + BEFORE_NUMBER.length <= end;
    if (isWithin && all.compare(BEFORE_NUMBER, 0, BEFORE_NUMBER.length, guess, guess + BEFORE_NUMBER.length) === 0)
      return guess;
    const found = all.subarray(start, end).indexOf(BEFORE_NUMBER);
    if (found < 0) return undefined;
    this.#place = found;
    return start + found;
  }

  #hear(text: string): void {
    const [, event = text] = /^\{"event":"([^"]+)"/.exec(text) ?? [];
    switch (event) {
      case "welcome":
        return this.#say({ event: "subscribe", id: 1, data: { channel: this.#channel } });
      case "pusher:connection_established":
        return this.#say({ event: "pusher:subscribe", data: { channel: this.#channel } });
      case "subscribed":
      case "pusher_internal:subscription_succeeded":
        return this.#subscribed.resolve();
    }
    this.#isWrong(text);
  }

  #say(frame: object): void {
    this.#socket?.write(rawFrame(OPCODE.text, JSON.stringify(frame)));
  }

  #answer(payload: Buffer): void {
    this.#socket?.write(rawFrame(OPCODE.pong, Buffer.from(payload)));
  }

  #isWrong(what: string): void {
    this.wrong ??= what;
    this.#subscribed.reject(new Error(what));
  }
}

/** Resolves when all of them are subscribed, by turns native and Pusher clients. They end with the test. */
export async function startSequenceReaders(
  count: number,
  channel: string,
  choose: (reader: number) => string,
): Promise<readonly SequenceReader[]> {
  const readers = Array.from(
    { length: count },
    // Both languages at each of two places.
    (_, n) => new SequenceReader(n % 4 < 2 ? "native" : "pusher", channel),
  );
  atEnd(() => readers.forEach((reader) => void reader.close()));
  const late = Bun.sleep(PATIENCE_MS).then(() => {
    throw new Error(`Not all readers were subscribed within ${PATIENCE_MS} ms.`);
  });
  await Promise.race([Promise.all(readers.map((reader, n) => reader.open(choose(n)))), late]);
  return readers;
}
