/** The live connection: a client of the native protocol that comes back by itself and asks for what is watched. */

import { type Signal, signal } from "@preact/signals";
import { type LiveEvents, liveChannel, type Ticket, type Watch } from "fanfare/wire/admin";
import { call, refusedBy } from "./api.ts";

export type LiveState =
  | { readonly is: "off" | "connecting" | "live" }
  | { readonly is: "waiting"; readonly untilMs: number; readonly why: string };

type Hear = (name: string, data: unknown) => void;

/** What the server may send, as far as this page cares; the rest is ignored. */
interface Frame {
  readonly event?: unknown;
  readonly channel?: unknown;
  readonly data?: unknown;
  readonly message?: unknown;
  readonly reconnect?: unknown;
}

const LONGEST_PAUSE_MS = 30_000;
const PONG_MS = 30_000;

class Live {
  readonly state: Signal<LiveState> = signal<LiveState>({ is: "off" });
  /** Why the server refused to be watched, the last time it did. */
  readonly problem: Signal<string | undefined> = signal<string | undefined>(undefined);
  readonly #watches = new Map<string, Set<Hear>>();
  #socket: WebSocket | undefined;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #silenceMs = 120_000;
  #farewell: Frame | undefined;
  /** Grows with each start and stop, so that a ticket that comes late is not used. */
  #turn = 0;

  start(): void {
    if (this.state.peek().is !== "off") return;
    addEventListener("online", this.#now);
    void this.#connect();
  }

  stop(): void {
    this.#turn++;
    removeEventListener("online", this.#now);
    clearTimeout(this.#timer);
    clearTimeout(this.#quiet);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
    this.#failures = 0;
    this.state.value = { is: "off" };
  }

  /** Comes back at once instead of after the pause. */
  retry(): void {
    if (this.state.peek().is !== "waiting") return;
    clearTimeout(this.#timer);
    void this.#connect();
  }

  /** Until the answer is called. The data has the shape that the wire's types give the name. */
  watch<K extends keyof LiveEvents>(watch: Watch, name: K, hear: (data: LiveEvents[K]) => void): () => void {
    const channel = liveChannel(watch);
    const heard: Hear = (event, data) => {
      if (event === name) hear(data as LiveEvents[K]);
    };
    const others = this.#watches.get(channel);
    if (others) others.add(heard);
    else {
      this.#watches.set(channel, new Set([heard]));
      this.#send("subscribe", channel);
    }
    return () => this.#unwatch(channel, heard);
  }

  #unwatch(channel: string, heard: Hear): void {
    const hearers = this.#watches.get(channel);
    if (!hearers?.delete(heard) || hearers.size > 0) return;
    this.#watches.delete(channel);
    this.#send("unsubscribe", channel);
  }

  #send(event: "subscribe" | "unsubscribe", channel: string): void {
    if (this.state.peek().is === "live") this.#socket?.send(JSON.stringify({ event, data: { channel } }));
  }

  readonly #now = (): void => this.retry();

  async #connect(): Promise<void> {
    const turn = ++this.#turn;
    this.state.value = { is: "connecting" };
    try {
      const { ticket } = await call<Ticket>("POST", "api/ticket");
      if (turn === this.#turn) this.#open(ticket);
    } catch (error) {
      if (turn !== this.#turn) return;
      const refused = refusedBy(error);
      this.#pause(refused.message, (refused.retryAfterS ?? 0) * 1000);
    }
  }

  #open(ticket: string): void {
    const address = new URL(`api/live?ticket=${encodeURIComponent(ticket)}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    const socket = new WebSocket(address);
    this.#socket = socket;
    this.#farewell = undefined;
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket && typeof data === "string") this.#heard(data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#closed();
    };
  }

  #heard(text: string): void {
    this.#listen();
    const frame: Frame = JSON.parse(text);
    if (frame.event === "welcome") return this.#welcomed(frame.data);
    if (frame.event === "closing") this.#farewell = frame;
    const { event, channel, data, message } = frame;
    if (event === "error") this.problem.value = typeof message === "string" ? message : "The server refused.";
    if (typeof channel !== "string" || typeof event !== "string") return;
    for (const hear of this.#watches.get(channel) ?? []) hear(event, data);
  }

  #welcomed(data: unknown): void {
    const timeoutS =
      typeof data === "object" && data !== null && "activityTimeoutS" in data ? data.activityTimeoutS : 0;
    if (typeof timeoutS === "number" && timeoutS > 0) this.#silenceMs = timeoutS * 1000;
    this.#failures = 0;
    this.problem.value = undefined;
    this.state.value = { is: "live" };
    this.#listen();
    for (const channel of this.#watches.keys()) this.#send("subscribe", channel);
  }

  /** Whoever says nothing for long is asked; browsers show no pings. */
  #listen(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#socket?.send(JSON.stringify({ event: "ping" }));
      this.#quiet = setTimeout(() => this.#closed(), PONG_MS);
    }, this.#silenceMs);
  }

  #closed(): void {
    clearTimeout(this.#quiet);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    const { message, reconnect } = this.#farewell ?? {};
    if (reconnect === "now" && this.#failures === 0) this.#failures = -1;
    this.#pause(typeof message === "string" ? message : "The connection broke.", 0);
  }

  /** As the native protocol asks of clients: 1 s, doubled with each failure up to 30 s, times 0.5 to 1.5. */
  #pause(why: string, atLeastMs: number): void {
    const usualMs = Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** this.#failures) * (0.5 + Math.random());
    const pauseMs = Math.max(usualMs, atLeastMs);
    this.#failures++;
    this.state.value = { is: "waiting", untilMs: Date.now() + pauseMs, why };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), pauseMs);
  }
}

export const live = new Live();
