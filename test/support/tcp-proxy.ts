/** A wire between two programs that can be cut, plugged, and made slow: a black hole keeps connections open and swallows what they carry. */

import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { atEnd } from "./at-end.ts";

export class TcpProxy {
  #target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #swallows: "all" | "answers" | undefined;
  #refuses = false;
  #delayMs = 0;
  port = 0;

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

  /** Nothing arrives any more, or no answer does, and nobody is told. */
  swallow(what: "all" | "answers" = "all"): void {
    this.#swallows = what;
  }

  /** Ends every connection, and refuses new ones. */
  cut(): void {
    this.#refuses = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** All is well again for new connections; those that were swallowed end. */
  mend(): void {
    if (this.#swallows) for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#swallows = undefined;
    this.#refuses = false;
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
      near.destroy();
      return;
    }
    const far = dial(this.#target, "127.0.0.1");
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    this.#carry(near, far, () => this.#swallows === "all");
    this.#carry(far, near, () => this.#swallows !== undefined);
    const over = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) socket.on("close", over).on("error", over);
  }

  #carry(from: Socket, to: Socket, isSwallowed: () => boolean): void {
    from.setNoDelay(true);
    from.on("data", (chunk) => {
      if (isSwallowed()) return;
      if (this.#delayMs === 0) to.write(chunk);
      else setTimeout(() => to.destroyed || isSwallowed() || to.write(chunk), this.#delayMs);
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
