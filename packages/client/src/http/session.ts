/**
 * A connection made of HTTP requests (docs/protocol/native.md, "Over HTTP"): frames are numbered both ways, so that a request that was
 * cut off is asked again, and nothing is lost or doubled.
 */

import type { Transport, TransportRequest, TransportSocket } from "../transport.ts";
import { Outbox } from "./outbox.ts";
import { pause } from "./pause.ts";
import { findBetter, forgetWorking, rememberWorking, wasWorking } from "./working.ts";

export interface Reading {
  /** Whether the runtime can. */
  isSupported(): boolean;
  /** Resolves at the end of the response. `heard` gets whole frames; `last` is the number of the last of them, where the response says so. */
  read(response: Response, heard: (frames: readonly string[], last?: number) => void): Promise<void>;
}

/** Until the server says otherwise. */
const KEEP_ALIVE_MS = 25_000;
const SESSION_MS = 10_000;
/** Longer than the server may be silent. */
const GRACE_MS = 10_000;
const LONGEST_PAUSE_MS = 2_000;
const QUICK_MS = 1_000;
const PING = '{"event":"ping"}';

export function httpTransport(name: string, reading: Reading, firstLookMs?: number): Transport {
  return {
    name,
    isSupported: () => typeof fetch === "function" && reading.isSupported(),
    worked: () => wasWorking(name),
    open: (request) => new HttpSession(name, reading, request, firstLookMs),
  };
}

class HttpSession implements TransportSocket {
  readonly #name: string;
  readonly #reading: Reading;
  readonly #request: TransportRequest;
  readonly #firstLookMs: number | undefined;
  /** Of the server, without a slash at its end; later of its node that has the connection. */
  #base: string;
  /** What leads to any node. */
  readonly #anyBase: string;
  /** What the address asks for. */
  readonly #query: URLSearchParams;
  readonly #over = new AbortController();
  readonly #outbox: Outbox;
  #token: string | undefined;
  #id: string | undefined;
  /** How many frames have come. */
  #received = 0;
  #keepAliveMs = KEEP_ALIVE_MS;
  #sessionMs = SESSION_MS;
  /** Another connection takes its place: the server ends this one by itself, so that nobody leaves a presence channel meanwhile. */
  #isReplaced = false;
  #stopLooking = () => {};

  constructor(name: string, reading: Reading, request: TransportRequest, firstLookMs: number | undefined) {
    this.#name = name;
    this.#reading = reading;
    this.#request = request;
    this.#firstLookMs = firstLookMs;
    const url = new URL(request.url.replace(/^ws/, "http"));
    this.#query = url.searchParams;
    // Addresses end up in logs.
    this.#token = this.#query.get("token") ?? undefined;
    this.#query.delete("token");
    this.#anyBase = url.origin + url.pathname.replace(/\/+$/, "");
    this.#base = this.#anyBase;
    const send = (seq: number, body: string) => this.#post("send", { session: this.#id, seq }, GRACE_MS, { body });
    this.#outbox = new Outbox(send, this.#over.signal, (reason) => this.#end(1006, reason));
    void this.#run();
  }

  send(text: string): void {
    // A token is nothing that a server should have to keep until it knows whose it is: it is sent with the first request.
    if (this.#id === undefined) this.#token = JSON.parse(text).data?.token;
    else this.#outbox.add(text);
  }

  close(): void {
    this.#stop();
    if (this.#id === undefined || this.#isReplaced) return;
    const url = this.#url("close", { session: this.#id });
    // The page may be on its way out. Elsewhere there is no such thing.
    if (!globalThis.navigator?.sendBeacon?.(url)) void fetch(url, { method: "POST", keepalive: true }).catch(() => {});
  }

  #stop(): void {
    this.#over.abort();
    this.#stopLooking();
    globalThis.removeEventListener?.("pagehide", this.#leave);
  }

  /** Without it, whoever closes a page would be there for some seconds more. */
  readonly #leave = () => this.close();

  #end(code: number, reason: string): void {
    if (this.#over.signal.aborted) return;
    this.#stop();
    this.#request.onClose(code, reason);
  }

  /** Asks for frames until the session is over. */
  async #run(): Promise<void> {
    const { signal } = this.#over;
    await null;
    if (!signal.aborted) this.#request.onOpen();
    let failures = 0;
    let failingSince = 0;
    while (!signal.aborted) {
      const before = this.#received;
      const askedAt = Date.now();
      const response = await this.#receive();
      if (signal.aborted) return;
      const isOver = response && !response.ok && response.status < 500 && response.status !== 429;
      if (isOver || this.#id === undefined) return this.#end(1006, response ? `HTTP ${response.status}` : "no answer");
      const now = Date.now();
      // Answers without a frame that come at once are none, and are not to be asked for without end.
      const isFine = this.#received > before || (response?.ok && now - askedAt > QUICK_MS);
      failures = isFine ? 0 : failures + 1;
      if (failures <= 1) failingSince = now;
      // The server has given it up by now.
      if (now - failingSince > this.#sessionMs) return this.#end(1006, "The session cannot be reached.");
      if (failures > 0) await pause(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** failures), signal);
    }
  }

  /** One response, to its end. Undefined where there was none. */
  async #receive(): Promise<Response | undefined> {
    const waitMs = this.#keepAliveMs + GRACE_MS;
    const isFirst = this.#id === undefined;
    const query = isFirst ? this.#opening() : { session: this.#id, ack: this.#received };
    const headers = isFirst && this.#token !== undefined && { Authorization: `Bearer ${this.#token}` };
    let found: Response | undefined;
    try {
      found = await this.#post(this.#name, query, waitMs, { ...(headers && { headers }) }, async (response, alive) => {
        if (!response.ok) return this.#refused(response);
        await this.#reading.read(response, (frames, last) => {
          alive();
          this.#heard(frames, last);
        });
      });
    } catch {
      // It is asked again.
    }
    return found;
  }

  #heard(frames: readonly string[], last = this.#received + frames.length): void {
    for (const [at, frame] of frames.entries()) {
      const number = last - frames.length + 1 + at;
      if (number <= this.#received || this.#over.signal.aborted) continue;
      this.#received = number;
      if (this.#id === undefined) this.#welcomed(frame);
      // As a WebSocket's own ping, which nobody sees either.
      if (frame === PING) this.#outbox.add('{"event":"pong"}');
      else this.#request.onFrame(frame);
    }
  }

  #welcomed(frame: string): void {
    const { data } = JSON.parse(frame);
    if (data?.session === undefined) return;
    this.#id = data.session;
    const { keepAliveS, sessionTimeoutS, url = this.#anyBase } = data.http ?? {};
    this.#base = url;
    if (keepAliveS > 0) this.#keepAliveMs = keepAliveS * 1000;
    if (sessionTimeoutS > 0) this.#sessionMs = sessionTimeoutS * 1000;
    globalThis.addEventListener?.("pagehide", this.#leave);
    rememberWorking(this.#name);
    const found = () => {
      forgetWorking();
      this.#isReplaced = true;
      this.#request.onBetter?.();
      this.#isReplaced = false;
    };
    this.#stopLooking = findBetter(this.#request, found, this.#firstLookMs);
  }

  /** Before there is a session, what the server says is told as it would be by a WebSocket. */
  async #refused(response: Response): Promise<void> {
    const { status } = response;
    const { code, error } = await response.json().catch(() => ({}));
    if (this.#id !== undefined || typeof code !== "string" || this.#over.signal.aborted) return;
    const reconnect = status === 429 || status >= 500 ? "later" : "never";
    this.#request.onFrame(JSON.stringify({ event: "closing", code, message: error, reconnect }));
  }

  #opening(): Record<string, string> {
    const { auth: _auth, ...query } = Object.fromEntries(this.#query);
    return query;
  }

  #url(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
    const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`]]));
    return `${this.#base}/rt/${path}?${new URLSearchParams(given)}`;
  }

  /** Rejects where there is no answer, or silence in it for so long. */
  async #post(
    path: string,
    query: Readonly<Record<string, string | number | undefined>>,
    silenceMs: number,
    init: RequestInit,
    use?: (response: Response, alive: () => void) => Promise<void>,
  ): Promise<Response> {
    const abort = new AbortController();
    const stop = () => abort.abort();
    const { signal } = this.#over;
    let timer = setTimeout(stop, silenceMs);
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(stop, silenceMs);
    };
    signal.addEventListener("abort", stop);
    try {
      const request = { method: "POST", cache: "no-store", signal: abort.signal, ...init } as const;
      const response = await fetch(this.#url(path, query), request).catch((error) => {
        // The node may be out of reach from here, or forbidden by the page's policy.
        this.#base = this.#anyBase;
        throw error;
      });
      alive();
      await use?.(response, alive);
      return response;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }
}
