/** A clock that is moved by hand, a page, and a server that answers what the test says: for what cannot be waited for. */

import { createClientIn } from "../../packages/client/src/client.ts";
import type { Environment, PageEvent } from "../../packages/client/src/environment.ts";
import type { Client, ClientOptions, Transport, TransportRequest } from "../../packages/client/src/index.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export type SentFrame = { readonly event: string; readonly id?: number; readonly data?: Record<string, unknown> };

export class FakeSocket {
  readonly url: string;
  readonly sent: SentFrame[] = [];
  /** By the client. */
  closedWith: number | undefined;
  /** By either. */
  isOver = false;
  readonly #request: TransportRequest;

  constructor(request: TransportRequest) {
    this.url = request.url;
    this.#request = request;
  }

  open(): void {
    this.#request.onOpen();
  }

  /** Also after the client has given it up, as real sockets do. */
  receive(...frames: object[]): void {
    for (const frame of frames) this.#request.onFrame(JSON.stringify(frame));
  }

  text(text: string): void {
    this.#request.onFrame(text);
  }

  welcome(data: object = {}): void {
    this.open();
    this.receive(welcomeFrame(data));
  }

  end(code = 1006, reason = ""): void {
    this.isOver = true;
    this.#request.onClose(code, reason);
  }

  /** What was sent under that name. */
  of(event: string): SentFrame[] {
    return this.sent.filter((frame) => frame.event === event);
  }

  last(event: string): SentFrame {
    const found = this.of(event).at(-1);
    if (!found) throw new Error(`no ${event} was sent, but ${this.sent.map((frame) => frame.event)}`);
    return found;
  }

  /** Answers the last command of that name. */
  answer(event: string, answer: string, more: object = {}): void {
    const { id, data } = this.last(event);
    this.receive({ event: answer, id, ...(data?.channel !== undefined && { channel: data.channel }), ...more });
  }

  subscribed(more: object = {}): void {
    this.answer("subscribe", "subscribed", more);
  }
}

let connections = 0;

function welcomeFrame(data: object = {}): object {
  const id = `1.${++connections}`;
  const limits = { eventsPerSecond: 1_000, eventBytes: 100_000 };
  const features = ["auth-frame", "history", "previous-ids", "token-expiry", "publish-order"];
  return {
    event: "welcome",
    data: { id, activityTimeoutS: 120, maxFrameBytes: 1_000_000, limits, features, ...data },
  };
}

export class FakeWorld implements Environment {
  readonly sockets: FakeSocket[] = [];
  readonly transport: Transport;
  isPageHidden = false;
  /** What chance gives: pauses are then as they are written. */
  chance = 0.5;
  #now = 1_000_000_000_000;
  #order = 0;
  readonly #timers = new Set<Timer>();
  readonly #watchers = new Set<(event: PageEvent) => void>();

  constructor() {
    this.transport = {
      name: "fake",
      isSupported: () => true,
      open: (request) => {
        const socket = new FakeSocket(request);
        this.sockets.push(socket);
        return {
          send: (text) => socket.sent.push(JSON.parse(text)),
          close: (code = 1000) => {
            socket.closedWith = code;
            socket.isOver = true;
          },
        };
      },
    };
  }

  client(options: Partial<ClientOptions> = {}): Client {
    return createClientIn(this, { url: "ws://server", transports: [this.transport], ...options });
  }

  /** The one that was opened last. */
  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (!last) throw new Error("no socket was opened");
    return last;
  }

  get openSockets(): number {
    return this.sockets.filter(({ isOver }) => !isOver).length;
  }

  get timers(): number {
    return this.#timers.size;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  page(event: PageEvent): void {
    for (const watcher of [...this.#watchers]) watcher(event);
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.chance;
  }

  isHidden(): boolean {
    return this.isPageHidden;
  }

  watch(on: (event: PageEvent) => void): () => void {
    this.#watchers.add(on);
    return () => this.#watchers.delete(on);
  }

  setTimer(run: () => void, ms: number): Timer {
    // As runtimes do it.
    const timer = { at: this.#now + (ms > 2 ** 31 - 1 ? 1 : ms), order: ++this.#order, run };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** Time passes, and what is due happens. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (;;) {
      const next = this.#next();
      if (!next || next.at > until) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.run();
      await settled();
    }
    this.#now = until;
    await settled();
  }

  /** The machine sleeps: time passes, and only then what was due happens. */
  async sleep(ms: number): Promise<void> {
    this.#now += ms;
    await this.pass(0);
  }

  #next(): Timer | undefined {
    return [...this.#timers].sort((one, other) => one.at - other.at || one.order - other.order)[0];
  }
}

/** All promises that can go on have. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What it rejects with, sooner or later. `expect(…).rejects` would hold the test up until then. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`not rejected, but resolved with ${JSON.stringify(value)}`);
    },
    (error) => error,
  );
}
