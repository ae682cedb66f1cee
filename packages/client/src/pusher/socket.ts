/**
 * The socket that pusher-js gets: it dials until a server answers, notices by itself when the line is dead, and tells pusher-js of a
 * connection from the server's first frame on.
 */

import type { CloseReason, Socket } from "./seams.ts";
import type { Session } from "./session.ts";

type State = "waiting" | "dialing" | "open" | "ended";

/** How long a server may take to answer. */
const DIAL_MS = 10_000;
/** The same for a ping after waking up. */
const WAKE_MS = 5_000;
const SUBSCRIBE = '{"event":"pusher:subscribe"';

export class RecoveringSocket implements Socket {
  // Set by pusher-js, before anything is called.
  onopen: Socket["onopen"];
  onerror: Socket["onerror"];
  onmessage: Socket["onmessage"];
  onclose: Socket["onclose"];

  readonly #session: Session;
  readonly #dial: () => Socket;
  readonly #onEnd: (socket: RecoveringSocket) => void;
  readonly #subscriptions = new Map<string, string>();
  /** Notices late timers: a phone or a laptop that slept. No event says then that the line is dead. */
  readonly #clock: ReturnType<typeof setInterval>;
  #tickedAt = Date.now();
  #state: State = "waiting";
  #line: Socket | undefined;
  #dialedAt = 0;
  /** Until it dials, until dialing has taken too long, or until the answer to a ping has. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;

  /** `dial` opens a connection; the first time, what it throws goes to the caller. */
  constructor(session: Session, dial: () => Socket, onEnd: (socket: RecoveringSocket) => void) {
    this.#session = session;
    this.#dial = dial;
    this.#onEnd = onEnd;
    const waitMs = session.waitMs();
    if (waitMs > 0) this.#after(waitMs, () => this.#redial());
    else this.#connect();
    this.#clock = setInterval(() => this.#tick(), WAKE_MS);
  }

  /** Looks after the connection, because the page or the network came back. */
  wake(): void {
    const state = this.#state;
    if (state === "open" && this.#timer === undefined) {
      this.#line?.send('{"event":"pusher:ping","data":{}}');
      this.#after(WAKE_MS, () => this.#lose({ code: 1006 }));
    } else if (state === "waiting" || (state === "dialing" && Date.now() - this.#dialedAt > WAKE_MS)) this.#redial();
  }

  send(frame: string): void {
    const write = (text: string) => {
      if (this.#state === "open") this.#line?.send(text);
    };
    // In order: what follows a subscription that waits for the store waits, too.
    const text = this.#sending ? this.#sending.then(() => this.#prepare(frame)) : this.#prepare(frame);
    if (typeof text === "string") write(text);
    else this.#sending = text.then(write);
  }

  close(): void {
    if (this.#state === "ended") return;
    this.#end();
    setTimeout(() => this.onclose?.({ code: 1000, reason: "", wasClean: true }));
  }

  #tick(): void {
    const now = Date.now();
    const isLate = now - this.#tickedAt > 2 * WAKE_MS;
    this.#tickedAt = now;
    // In a hidden tab timers are late because the browser wants them to be.
    if (isLate && !globalThis.document?.hidden && this.#session.options.wake !== false) this.wake();
  }

  #after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }

  #connect(): void {
    this.#abandon();
    const line = this.#dial();
    this.#line = line;
    this.#state = "dialing";
    this.#dialedAt = Date.now();
    line.onmessage = (message) => this.#receive(message);
    line.onerror = (error) => {
      if (this.#state === "open") this.onerror?.(error);
    };
    line.onclose = (event) => {
      if (this.#state === "open" || event.code >= 4000) this.#lose(event);
      else this.#fail();
    };
    this.#after(DIAL_MS, () => this.#fail());
  }

  #redial(): void {
    try {
      this.#connect();
    } catch {
      this.#fail();
    }
  }

  /** pusher-js hears nothing of it: it would wait for 15, 30 and 60 s. */
  #fail(): void {
    this.#abandon();
    this.#state = "waiting";
    this.#after(this.#session.nextRetryMs(), () => this.#redial());
  }

  #receive(message: { readonly data: unknown }): void {
    const isFirst = this.#state !== "open";
    if (isFirst && !this.#session.begin(message.data)) return this.#fail();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#state = "open";
    const deliver = () => this.onmessage?.(message);
    if (isFirst) {
      this.onopen?.();
      deliver();
    } else this.#session.receive(message.data, { deliver, subscribeLater: (channel) => this.#subscribeLater(channel) });
  }

  #prepare(frame: string): string | Promise<string> {
    if (!frame.startsWith(SUBSCRIBE)) return frame;
    const { channel } = JSON.parse(frame).data;
    this.#subscriptions.set(channel, frame);
    return this.#session.request(frame, channel);
  }

  #subscribeLater(channel: string): void {
    setTimeout(() => {
      const frame = this.#subscriptions.get(channel);
      if (frame !== undefined) this.send(frame);
    }, this.#session.nextRetryMs());
  }

  /** To pusher-js every end is a clean one: it disables transports that break off. */
  #lose({ code, reason = "" }: CloseReason): void {
    if (this.#state !== "open") this.onopen?.();
    this.#end();
    this.#session.lost(code);
    this.onclose?.({ code, reason, wasClean: true });
  }

  #end(): void {
    this.#state = "ended";
    this.#subscriptions.clear();
    clearTimeout(this.#timer);
    clearInterval(this.#clock);
    this.#abandon();
    this.#onEnd(this);
  }

  /** No event of it is heard any more. Safari may never say that it is closed. */
  #abandon(): void {
    const line = this.#line;
    if (!line) return;
    this.#line = undefined;
    line.onopen = line.onmessage = line.onerror = line.onclose = () => {};
    line.close();
  }
}
