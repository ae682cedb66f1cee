/** Thousands of WebSocket clients on raw sockets, so that reading costs the generator as little as can be. */

import type { Socket } from "bun";
import type { Arrivals } from "./arrivals.ts";
import { nowMs } from "./contender.ts";
import { clientFrame, FrameCounter } from "./frames.ts";

export interface Opening {
  /** `{block}` stands for a number that is another one for every few thousand clients. */
  readonly host?: string;
  readonly port: number;
  /** `{pair}` stands for half the client's number, here and in `hello`. */
  readonly path: string;
  /** How many there are to be in the end. */
  readonly count: number;
  /** Sent once the WebSocket is open. */
  readonly hello?: string;
  /** Sent when the first frames are there: `setupFrames` less one. */
  readonly more?: string;
  /** Frames that the server answers all this with. */
  readonly setupFrames: number;
}

interface Client {
  readonly index: number;
  readonly counter: FrameCounter;
  readonly hello: Uint8Array | undefined;
  more: Uint8Array | undefined;
  readonly setupFrames: number;
  /** Until the connection is set up. */
  opened: (() => void) | undefined;
  readonly failed: (error: Error) => void;
  /** The answer to the handshake, while there is one. */
  handshake: string | undefined;
  echo: Echo | undefined;
}

interface Echo {
  readonly frame: Uint8Array;
  /** As many of it as can be asked for at once. */
  readonly many: Uint8Array;
}

const OPENING_AT_ONCE = 200;
const ATTEMPTS = 4;
const SETUP_MS = 20_000;
/** Linux gives out every other of its 28 000 ports quickly, and looks for the rest one by one, for each connection anew. */
const BLOCK = 10_000;
const NOTHING = new Uint8Array();

export class Readers {
  readonly #sockets: Socket<Client>[] = [];
  readonly #arrivals: Arrivals;
  #arrivalsMs: Float64Array | undefined;
  #base: number[] = [];

  constructor(arrivals: Arrivals) {
    this.#arrivals = arrivals;
  }

  async open(opening: Opening): Promise<void> {
    while (this.#sockets.length < opening.count) {
      const first = this.#sockets.length;
      const batch = Math.min(OPENING_AT_ONCE, opening.count - first);
      const sockets = await Promise.all(
        Array.from({ length: batch }, (_, n) => this.#openPatiently(opening, first + n)),
      );
      this.#sockets.push(...sockets);
    }
  }

  reset(): void {
    this.#arrivals.reset();
    this.#arrivalsMs = undefined;
  }

  /** From now on notes when each frame comes. */
  record(messages: number): void {
    this.reset();
    this.#base = this.#sockets.map(({ data }) => data.counter.count);
    this.#arrivalsMs = new Float64Array(messages * this.#sockets.length);
  }

  /** How long each noted frame was on its way, in order of length. The n-th frame of a reader is the n-th published. */
  delaysMs(publishedAtMs: readonly number[]): Float64Array {
    const arrivals = this.#arrivalsMs ?? new Float64Array();
    const readers = this.#sockets.length;
    return arrivals.map((arrivedMs, at) => arrivedMs - (publishedAtMs[Math.floor(at / readers)] ?? 0)).sort();
  }

  /**
   * Every client sends `window` frames, then one for each that it gets, for so long. Returns how many came. The window
   * is the most that can come at once.
   */
  async echo(template: string, window: number, forMs: number): Promise<number> {
    this.reset();
    for (const { data: client } of this.#sockets) {
      const frame = clientFrame(filled(template, client.index));
      client.echo = { frame, many: repeated(frame, window) };
    }
    for (const socket of this.#sockets) socket.write(socket.data.echo?.many ?? NOTHING);
    await Bun.sleep(forMs);
    for (const { data: client } of this.#sockets) client.echo = undefined;
    return this.#arrivals.frames;
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.end();
  }

  /** On a busy machine a handshake may take longer than a server waits for it: then again, as any client would. */
  async #openPatiently(opening: Opening, index: number): Promise<Socket<Client>> {
    for (let attempt = 1; ; attempt++) {
      const { lost } = this.#arrivals;
      try {
        return await this.#openOne(opening, index);
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
        this.#arrivals.lost = lost;
        await Bun.sleep(attempt * 500);
      }
    }
  }

  async #openOne(opening: Opening, index: number): Promise<Socket<Client>> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const hello = opening.hello === undefined ? undefined : clientFrame(filled(opening.hello, index));
    const client: Client = {
      index,
      counter: new FrameCounter(),
      setupFrames: opening.setupFrames,
      hello,
      more: opening.more === undefined ? undefined : clientFrame(filled(opening.more, index)),
      echo: undefined,
      handshake: "",
      opened: resolve,
      failed: reject,
    };
    const socket = await Bun.connect<Client>({
      hostname: (opening.host ?? "127.0.0.1").replace("{block}", String(1 + Math.floor(index / BLOCK))),
      port: opening.port,
      data: client,
      socket: { data: this.#hear, close: this.#lose },
    });
    socket.write(handshake(filled(opening.path, index)));
    const late = setTimeout(() => {
      const { count } = client.counter;
      client.failed(new Error(`Connection ${index} got ${count} of ${opening.setupFrames} frames in ${SETUP_MS} ms.`));
    }, SETUP_MS);
    await promise.finally(() => clearTimeout(late));
    return socket;
  }

  readonly #hear = (socket: Socket<Client>, bytes: Uint8Array): void => {
    const client = socket.data;
    if (client.handshake !== undefined) return this.#shakeHands(socket, client.handshake + latin1(bytes));
    const { counter } = client;
    const before = counter.count;
    counter.add(bytes);
    if (counter.pongs.length > 0) for (const pong of counter.pongs.splice(0)) socket.write(pong);
    const came = counter.count - before;
    if (came === 0) return;
    if (client.opened) this.#settle(socket);
    if (this.#arrivalsMs) this.#note(this.#arrivalsMs, client.index, before, came);
    if (client.echo) sendBack(socket, client.echo, came);
    this.#arrivals.add(came);
  };

  readonly #lose = ({ data: client }: Socket<Client>): void => {
    this.#arrivals.lost++;
    const { count, others } = client.counter;
    const stage =
      client.handshake === undefined ? `after ${count} frames, ${others} of them no messages` : "in the handshake";
    client.failed(new Error(`The server closed connection ${client.index}, ${stage}.`));
  };

  #shakeHands(socket: Socket<Client>, answer: string): void {
    const client = socket.data;
    const end = answer.indexOf("\r\n\r\n");
    client.handshake = answer;
    if (end < 0) return;
    client.handshake = undefined;
    if (!answer.startsWith("HTTP/1.1 101")) return client.failed(new Error(`No WebSocket: ${answer}`));
    if (client.hello) socket.write(client.hello);
    const rest = Buffer.from(answer.slice(end + 4), "latin1");
    if (rest.length > 0) this.#hear(socket, rest);
    this.#settle(socket);
  }

  #settle(socket: Socket<Client>): void {
    const client = socket.data;
    if (client.more && client.counter.count >= client.setupFrames - 1) {
      socket.write(client.more);
      client.more = undefined;
    }
    if (client.counter.count < client.setupFrames) return;
    client.opened?.();
    client.opened = undefined;
  }

  #note(arrivalsMs: Float64Array, index: number, before: number, came: number): void {
    const now = nowMs();
    const first = before - (this.#base[index] ?? 0);
    for (let n = first; n < first + came; n++) arrivalsMs[n * this.#sockets.length + index] = now;
  }
}

function sendBack(socket: Socket<Client>, { frame, many }: Echo, count: number): void {
  const bytes = many.subarray(0, count * frame.length);
  if (socket.write(bytes) < bytes.length) throw new Error("The window is too large for the socket's buffer.");
}

/** A fixed key: the server's answer to it is not checked. RFC 6455 section 1.3. */
function handshake(path: string): string {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const lines = [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket"];
  return `${lines.join("\r\n")}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
}

function filled(template: string, index: number): string {
  return template.replaceAll("{pair}", String(index >> 1));
}

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  return new Uint8Array(Buffer.concat(Array.from({ length: times }, () => bytes)));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
