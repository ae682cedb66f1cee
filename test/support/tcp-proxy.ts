/**
 * A wire between two programs that can be cut, plugged, and made slow: a black hole keeps connections open and swallows what they carry. Some
 * connections, known by what their client sends, can be led to another server, or be left with a part of their answers only.
 */

import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { atEnd } from "./at-end.ts";

/** Of what a client has sent, the last. */
const MOST_REMEMBERED = 10_000;

interface Sieve {
  /** What the client of such a connection has sent. */
  readonly which: RegExp;
  /** What arrives of an answer. */
  passes(answer: string): string;
}

interface Detour {
  /** What the client of such a connection sends first. */
  readonly which: RegExp;
  readonly target: number;
}

export class TcpProxy {
  #target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #stranded = new WeakSet<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #swallows: "all" | "answers" | undefined;
  #refuses = false;
  #delayMs = 0;
  #sieve: Sieve | undefined;
  #detour: Detour | undefined;
  port = 0;
  /** How many connections were turned away. */
  refused = 0;

  constructor(target: number) {
    this.#target = target;
  }

  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const server = createServer((near) => this.#join(near));
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve());
    await promise;
    this.#server = server;
    const address = server.address();
    this.port = typeof address === "object" && address ? address.port : 0;
  }

  /** Nothing arrives any more, or no answer does, and nobody is told. A stream has no holes: what is lost of it is its end. */
  swallow(what: "all" | "answers" = "all"): void {
    if (this.#swallows !== "all") this.#swallows = what;
  }

  /** Connections that there are stay open and carry nothing any more, as after a phone slept. New ones work. */
  strand(): void {
    for (const pair of this.#pairs) this.#stranded.add(pair);
  }

  /** Ends every connection, and refuses new ones. */
  cut(): void {
    this.#refuses = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Connections of a kind, those that there are too, keep open and get no answer but some. */
  sift(sieve: Sieve): void {
    this.#sieve = sieve;
  }

  /** New connections of a kind lead to another server; all that there are end. */
  divert(detour: Detour): void {
    this.#detour = detour;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** All is well again for new connections; those that were swallowed, or led elsewhere, end. */
  mend(): void {
    if (this.#swallows || this.#sieve || this.#detour)
      for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#swallows = undefined;
    this.#refuses = false;
    this.#sieve = undefined;
    this.#detour = undefined;
  }

  /** The address belongs to another server from now on: every connection ends, and new ones come to that one. */
  lead(target: number): void {
    this.#target = target;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Everything takes this much longer, in order. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  async end(): Promise<void> {
    this.cut();
    const closed = Promise.withResolvers<void>();
    this.#server?.close(() => closed.resolve());
    if (this.#server) await closed.promise;
  }

  #join(near: Socket): void {
    if (this.#refuses) {
      this.refused++;
      near.destroy();
      return;
    }
    near.on("error", () => near.destroy());
    const detour = this.#detour;
    if (!detour) return this.#connect(near, this.#target);
    const { which, target } = detour;
    near.once("data", (opening: Buffer) => {
      near.pause();
      near.unshift(opening);
      this.#connect(near, which.test(opening.toString("latin1")) ? target : this.#target);
    });
  }

  #connect(near: Socket, target: number): void {
    const far = dial(target, "127.0.0.1");
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    let sent = "";
    near.on("data", (chunk) => {
      sent = `${sent}${chunk.toString("latin1")}`.slice(-MOST_REMEMBERED);
    });
    const isStranded = () => this.#stranded.has(pair);
    this.#carry(near, far, (chunk) => (this.#swallows === "all" || isStranded() ? undefined : chunk));
    this.#carry(far, near, (chunk) => {
      if (this.#swallows !== undefined || isStranded()) return undefined;
      if (!this.#sieve?.which.test(sent)) return chunk;
      return Buffer.from(this.#sieve.passes(chunk.toString("latin1")), "latin1");
    });
    near.resume();
    const over = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) socket.on("close", over).on("error", over);
  }

  #carry(from: Socket, to: Socket, sifted: (chunk: Buffer) => Buffer | undefined): void {
    from.setNoDelay(true);
    // What was said later arrives later, even where it is carried faster.
    const underWay: Buffer[] = [];
    const write = () => {
      const left = sifted(underWay.shift() as Buffer);
      if (left && !to.destroyed) to.write(left);
    };
    let dueMs = 0;
    from.on("data", (chunk: Buffer) => {
      const nowMs = performance.now();
      dueMs = Math.max(dueMs, nowMs + this.#delayMs);
      underWay.push(chunk);
      if (dueMs > nowMs || underWay.length > 1) setTimeout(write, dueMs - nowMs);
      else write();
    });
  }
}

/** Ends with the test. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(target);
  atEnd(() => proxy.end());
  await proxy.start();
  return proxy;
}
