/** One connection to the lobby that comes back by itself, as the server's farewell and a jittered back-off say. */

import type { ClientFrame } from "fanfare/wire/native";

export type State =
  | { readonly type: "connecting" }
  | { readonly type: "open" }
  /** Comes back at that time, by the clock of `performance.now()`. */
  | { readonly type: "waiting"; readonly untilMs: number; readonly why: string }
  /** Comes back only when told to. */
  | { readonly type: "stopped"; readonly why: string };

/** A frame as it came: nothing of it is certain but that it is an object. */
export interface Incoming {
  readonly event?: unknown;
  readonly channel?: unknown;
  readonly data?: unknown;
  readonly user?: unknown;
  readonly id?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly pushed?: unknown;
  readonly reconnect?: unknown;
}

export type Direction = "sent" | "received" | "note";

export interface SessionOptions {
  readonly name: () => string;
  readonly onState: (state: State) => void;
  readonly onFrame: (frame: Incoming) => void;
  /** Every frame as text, both ways, and a note where a connection begins or ends. */
  readonly onTraffic: (direction: Direction, text: string) => void;
  /** The app has another key now, so that what the page shows is out of date. */
  readonly onOtherKey: () => void;
  readonly key: string;
}

export interface Ticket {
  readonly token: string;
  readonly user: { readonly id: string; readonly info: { readonly name: string; readonly color: string } };
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** For the token, for the welcome, and for the answer to a ping. */
const PATIENCE_MS = 10_000;
const TICK_MS = 1_000;

export class Session {
  state: State = { type: "connecting" };
  ticket: Ticket | undefined;
  readonly #options: SessionOptions;
  #socket: WebSocket | undefined;
  /** Grows with every attempt, so that answers to an earlier one are recognised and dropped. */
  #attempt = 0;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #activityTimeoutMs = 120_000;
  #lastSeenMs = 0;
  #askedAtMs = 0;
  #farewell: Incoming | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    setInterval(() => this.#checkLife(), TICK_MS);
    // Whoever comes back to the tab or to the network need not wait for the pause to end.
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#hurry());
  }

  /** Connects now, with a new token; leaves the present connection, where there is one. */
  connect(): void {
    void this.#connect();
  }

  /** False when there is no connection to send it by. */
  send(frame: ClientFrame): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    const text = JSON.stringify(frame);
    this.#socket.send(text);
    this.#options.onTraffic("sent", text);
    return true;
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    clearTimeout(this.#timer);
    this.#leave();
    this.#enter({ type: "connecting" });
    this.#lastSeenMs = performance.now();
    try {
      const ticket = await this.#fetchTicket();
      if (attempt !== this.#attempt || ticket === undefined) return;
      this.ticket = ticket;
      this.#open(attempt, ticket.token);
    } catch {
      if (attempt === this.#attempt) this.#pause("The server does not answer");
    }
  }

  async #fetchTicket(): Promise<Ticket | undefined> {
    const address = `demo/token?name=${encodeURIComponent(this.#options.name())}`;
    const response = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
    if (response.status === 404 || response.status === 403) {
      this.#enter({ type: "stopped", why: "This server has no demo any more" });
      return undefined;
    }
    if (!response.ok) throw new Error(`${response.status}`);
    const ticket = (await response.json()) as Ticket & { readonly key: string };
    if (ticket.key !== this.#options.key) this.#options.onOtherKey();
    return ticket;
  }

  #open(attempt: number, token: string): void {
    const url = new URL("./", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    // With the app's key, since a program may have an endpoint at the same address.
    url.search = `?token=${token}&app=${encodeURIComponent(this.#options.key)}`;
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#farewell = undefined;
    socket.onmessage = ({ data }) => attempt === this.#attempt && this.#take(String(data));
    socket.onclose = ({ code, reason }) => attempt === this.#attempt && this.#lose(code, reason);
  }

  #take(text: string): void {
    this.#lastSeenMs = performance.now();
    this.#askedAtMs = 0;
    this.#options.onTraffic("received", text);
    const frame = parse(text);
    if (frame === undefined) return;
    if (frame.pushed !== true) this.#heed(frame);
    this.#options.onFrame(frame);
  }

  #heed({ event, data, ...rest }: Incoming): void {
    if (event === "closing") this.#farewell = rest;
    if (event !== "welcome") return;
    this.#failures = 0;
    const { activityTimeoutS } = (data ?? {}) as { activityTimeoutS?: unknown };
    if (typeof activityTimeoutS === "number") this.#activityTimeoutMs = activityTimeoutS * 1000;
    this.#enter({ type: "open" });
  }

  #lose(code: number, reason: string): void {
    this.#options.onTraffic("note", `closed ${code}${reason === "" ? "" : ` · ${reason}`}`);
    const { code: reasonCode, message, reconnect } = this.#farewell ?? {};
    const why = typeof message === "string" ? message.replace(/\.$/, "") : "The connection was lost";
    this.#leave();
    // Each attempt fetches a new token.
    if (reasonCode === "token_expired") return this.#pause(why, "now");
    if (reconnect === "never") return this.#enter({ type: "stopped", why });
    this.#pause(why, reconnect);
  }

  /**
   * "now" is soon, but not all at the same moment; "later" is after a second at least; without a farewell, and after each
   * further failure, the pause grows. Half of it is chance, so that a crowd comes back spread out.
   */
  #pause(why: string, rule?: unknown): void {
    const grown = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    const least = rule === "later" ? 1_000 : rule === "now" ? 0 : grown / 2;
    const pauseMs = least + (Math.random() * grown) / 2;
    this.#failures++;
    this.#enter({ type: "waiting", untilMs: performance.now() + pauseMs, why });
    this.#timer = setTimeout(() => this.connect(), pauseMs);
  }

  #hurry(): void {
    if (this.state.type === "waiting") this.connect();
  }

  /** A connection that died in silence is found by asking. */
  #checkLife(): void {
    const nowMs = performance.now();
    const silentMs = nowMs - this.#lastSeenMs;
    if (this.state.type === "connecting" && this.#socket && silentMs > PATIENCE_MS)
      return this.#lose(1006, "no welcome");
    if (this.state.type !== "open" || silentMs < this.#activityTimeoutMs) return;
    if (this.#askedAtMs === 0) {
      this.#askedAtMs = nowMs;
      this.send({ event: "ping" });
    } else if (nowMs - this.#askedAtMs > PATIENCE_MS) {
      this.#lose(1006, "no answer to a ping");
    }
  }

  #leave(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#askedAtMs = 0;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #enter(state: State): void {
    this.state = state;
    this.#options.onState(state);
  }
}

function parse(text: string): Incoming | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
