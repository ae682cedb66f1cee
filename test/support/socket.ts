/** A client that knows no protocol: the standard WebSocket, with every frame kept, and errors that show them. */

import { atEnd } from "./at-end.ts";

export interface TestFrame {
  readonly event: string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly [name: string]: unknown;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A frame's event, or a question to the frame. */
export type Wanted = string | ((frame: TestFrame) => boolean);

export interface ConnectOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  readonly timeoutMs?: number;
  readonly tls?: TrustOptions;
}

/** For wss: what the client trusts, all in PEM form. */
export interface TrustOptions {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name it asks for, and that the certificate has to be for, where that is not the address's. */
  readonly serverName?: string;
}

/** What Bun's has beside the browser's. */
type BunWebSocket = WebSocket & { terminate(): void };
type BunWebSocketConstructor = new (
  url: string,
  options: { headers: Record<string, string>; protocols: string[]; tls?: TrustOptions },
) => BunWebSocket;

const PATIENCE_MS = 20_000;
/** Longest list of frames in an error. */
const SHOWN_FRAMES = 20;

/** Resolves when the handshake is done; rejects when it is refused. Closed at the end of the test or file. */
export async function connect(url: string, options: ConnectOptions = {}): Promise<TestSocket> {
  const socket = new TestSocket(url, options);
  atEnd(() => socket.terminate());
  await socket.opened(options.timeoutMs ?? PATIENCE_MS);
  return socket;
}

export class TestSocket {
  readonly url: string;
  /** Every frame as it came. */
  readonly raw: (string | Uint8Array)[] = [];
  /** Every frame parsed; of those that are not JSON, an object whose event is `(not JSON)`. */
  readonly frames: TestFrame[] = [];
  readonly closed: Promise<Closed>;
  readonly #ws: BunWebSocket;
  #unread: TestFrame[] = [];
  #ending: Closed | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(url: string, options: ConnectOptions = {}) {
    this.url = url;
    const Constructor = WebSocket as unknown as BunWebSocketConstructor;
    const { headers, protocols = [], tls } = options;
    this.#ws = new Constructor(url, { headers: { ...headers }, protocols: [...protocols], ...(tls && { tls }) });
    this.#ws.binaryType = "arraybuffer";
    const { promise, resolve } = Promise.withResolvers<Closed>();
    this.closed = promise;
    this.#ws.onmessage = ({ data }) => this.#take(data);
    this.#ws.onopen = () => this.#stir();
    this.#ws.onclose = ({ code, reason }) => {
      this.#ending = { code, reason };
      resolve(this.#ending);
      this.#stir();
    };
  }

  async opened(timeoutMs = PATIENCE_MS): Promise<void> {
    await this.#until(
      () => (this.#ws.readyState === WebSocket.CONNECTING ? undefined : true),
      timeoutMs,
      "the handshake",
    );
    if (this.#ws.readyState !== WebSocket.OPEN && this.frames.length === 0) {
      throw new Error(`${this.url} refused the handshake`);
    }
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  /** What came and was not yet taken by `next`. */
  get unread(): readonly TestFrame[] {
    return this.#unread;
  }

  /** Text goes out as it is, everything else as JSON, bytes as a binary frame. */
  send(frame: string | Uint8Array<ArrayBuffer> | object): void {
    const isRaw = typeof frame === "string" || frame instanceof Uint8Array;
    this.#ws.send(isRaw ? frame : JSON.stringify(frame));
  }

  /** Takes the first unread frame that is wanted, and leaves the others unread. Rejects at once when the socket closes. */
  next(wanted?: Wanted, timeoutMs = PATIENCE_MS): Promise<TestFrame> {
    const label = typeof wanted === "string" ? `"${wanted}"` : wanted ? "a certain frame" : "a frame";
    return this.#until(() => this.#takeUnread(wanted), timeoutMs, label);
  }

  /** Throws when an unread frame is there or arrives in this time (that is wanted, where that is said). */
  async silence(forMs = 100, wanted?: Wanted): Promise<void> {
    await Bun.sleep(forMs);
    const heard = this.#unread.filter((frame) => matches(frame, wanted));
    if (heard.length > 0) throw new Error(`Expected silence, but got:${show(heard)}`);
  }

  /** Resolves when the close is done on both sides. */
  close(code = 1000, reason = ""): Promise<Closed> {
    this.#ws.close(code, reason);
    return this.closed;
  }

  /** Without a closing handshake. */
  terminate(): void {
    this.#ws.terminate();
  }

  #take(data: unknown): void {
    this.raw.push(data instanceof ArrayBuffer ? new Uint8Array(data) : String(data));
    const frame = parse(data);
    this.frames.push(frame);
    this.#unread.push(frame);
    this.#stir();
  }

  #takeUnread(wanted: Wanted | undefined): TestFrame | undefined {
    const index = this.#unread.findIndex((frame) => matches(frame, wanted));
    return index < 0 ? undefined : this.#unread.splice(index, 1)[0];
  }

  #stir(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  async #until<T>(look: () => T | undefined, timeoutMs: number, label: string): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    while (true) {
      const found = look();
      if (found !== undefined) return found;
      const left = deadline - performance.now();
      if (this.#ending) {
        const { code, reason } = this.#ending;
        throw new Error(`Closed with ${code} "${reason}" while waiting for ${label}. Frames:${show(this.frames)}`);
      }
      if (left <= 0) throw new Error(`Waited ${timeoutMs} ms for ${label}. Frames:${show(this.frames)}`);
      await within(this.#wake.promise, left);
    }
  }
}

async function within(promise: Promise<void>, ms: number): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

function matches(frame: TestFrame, wanted: Wanted | undefined): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === "string" ? frame.event === wanted : wanted(frame);
}

function parse(data: unknown): TestFrame {
  try {
    const value: unknown = JSON.parse(String(data));
    if (typeof value === "object" && value !== null) return { event: "(no event)", ...value };
  } catch {
    // Told below.
  }
  return { event: "(not JSON)", data };
}

function show(frames: readonly TestFrame[]): string {
  if (frames.length === 0) return " none";
  const skipped = frames.length - SHOWN_FRAMES;
  const lines = frames.slice(-SHOWN_FRAMES).map((frame) => `\n  ${JSON.stringify(frame)}`);
  return (skipped > 0 ? `\n  (${skipped} earlier)` : "") + lines.join("");
}
