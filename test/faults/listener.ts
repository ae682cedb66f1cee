/** A client that comes back by itself, resumes where it can, and writes down every number it hears; and those who say the numbers. */

import { expect } from "bun:test";
import { atEnd } from "../support/at-end.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, socketUrl } from "../support/server.ts";

/** Source and number: what each publication of these tests consists of. */
const SAID = /"data":"([a-z]+)-(\d+)"/;
const POSITION = /"position":(\{[^}]*\})/;
const LATER_MS = 1_000;

export type Language = "pusher" | "native";

export class Listener {
  /** In the order of arrival, `source-number`. */
  readonly heard: string[] = [];
  /** What each return was told. */
  readonly recovered: boolean[] = [];
  readonly closes: number[] = [];
  /** From the end of a connection to the next subscription. */
  readonly awayMs: number[] = [];
  gaps = 0;
  isListening = false;
  readonly language: Language;
  readonly channel: string;
  readonly #choose: (attempt: number) => string;
  #socket: WebSocket | undefined;
  #position: string | undefined;
  #attempt = 0;
  #leftMs = 0;
  #isOver = false;

  /** `choose` gives the server's address for each attempt. */
  constructor(language: Language, channel: string, choose: (attempt: number) => string) {
    this.language = language;
    this.channel = channel;
    this.#choose = choose;
  }

  /** The first time, and whenever the connection ended. */
  open(): void {
    if (this.#isOver) return;
    const url = this.#choose(this.#attempt++);
    const path = this.language === "native" ? "/" : `/app/${APP.key}?protocol=7&client=js&version=8.6.0`;
    const socket = new WebSocket(socketUrl(url, path));
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(String(data));
    socket.onclose = ({ code }) => socket === this.#socket && this.#gone(code);
  }

  /** Cuts the connection; `come()` ends the absence. */
  leave(): void {
    this.#isOver = true;
    this.#socket?.close();
  }

  come(): void {
    this.#isOver = false;
    this.open();
  }

  #take(frame: string): void {
    const said = SAID.exec(frame);
    if (this.language === "native") this.#position = POSITION.exec(frame)?.[1] ?? this.#position;
    if (said) return void this.heard.push(`${said[1]}-${said[2]}`);
    const { event, recovered } = JSON.parse(frame) as { event: string; recovered?: boolean };
    switch (event) {
      case "pusher:connection_established":
        return this.#say({ event: "pusher:subscribe", data: { channel: this.channel } });
      case "welcome":
        return this.#subscribe();
      case "pusher:ping":
        return this.#say({ event: "pusher:pong", data: {} });
      case "gap":
        this.gaps++;
        return;
      case "subscribed":
      case "pusher_internal:subscription_succeeded":
        if (recovered !== undefined) this.recovered.push(recovered);
        if (this.#leftMs > 0) this.awayMs.push(performance.now() - this.#leftMs);
        this.#leftMs = 0;
        this.isListening = true;
        return;
      case "error":
      case "pusher:error":
        // Such as an engine that is away: what a client repeats after a pause.
        this.#socket?.close();
        return;
    }
  }

  #subscribe(): void {
    const position = this.#position === undefined ? undefined : (JSON.parse(this.#position) as object);
    this.#say({ event: "subscribe", id: 1, data: { channel: this.channel, ...(position && { position }) } });
  }

  #say(frame: object): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #gone(code: number): void {
    if (this.isListening) {
      this.#leftMs = performance.now();
      this.closes.push(code);
    }
    this.isListening = false;
    if (this.#isOver) return;
    const isNow = code >= 4200 && code < 4300;
    setTimeout(() => this.open(), isNow ? Math.random() * LATER_MS : LATER_MS * (0.5 + Math.random()));
  }
}

/** Resolves when all of them are subscribed. Ends with the test. */
export async function startListeners(
  count: number,
  language: Language,
  channel: string,
  choose: (listener: number, attempt: number) => string,
): Promise<readonly Listener[]> {
  const listeners = Array.from(
    { length: count },
    (_, n) => new Listener(language, channel, (attempt) => choose(n, attempt)),
  );
  atEnd(() => listeners.forEach((listener) => void listener.leave()));
  for (const listener of listeners) listener.open();
  const deadline = performance.now() + 60_000;
  while (listeners.some(({ isListening }) => !isListening)) {
    if (performance.now() > deadline) throw new Error("Not all listeners were subscribed within 60 s.");
    await Bun.sleep(10);
  }
  return listeners;
}

/** Says numbers through a server's HTTP API, one after the other, until it is stopped. */
export class Source {
  readonly name: string;
  /** Answered 200. */
  readonly accepted: string[] = [];
  /** Answered anything else: the status, and how long that took. */
  readonly refused: { readonly said: string; readonly status: number; readonly retryAfter: string | null }[] = [];
  /** Never answered: may have been heard or not. */
  readonly unanswered: string[] = [];
  slowestMs = 0;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(name: string, url: () => string, channel: string, everyMs: number) {
    this.name = name;
    this.#done = this.#run(url, channel, everyMs);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #run(url: () => string, channel: string, everyMs: number): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const began = performance.now();
      await this.#publish(`${this.name}-${number}`, url(), channel);
      const tookMs = performance.now() - began;
      this.slowestMs = Math.max(this.slowestMs, tookMs);
      if (tookMs < everyMs) await Bun.sleep(everyMs - tookMs);
    }
  }

  async #publish(said: string, url: string, channel: string): Promise<void> {
    try {
      const body = { name: "e", channel, data: said };
      const answer = await signedFetch(url, APP, "POST", "/events", { body });
      await answer.arrayBuffer();
      if (answer.status === 200) this.accepted.push(said);
      else this.refused.push({ said, status: answer.status, retryAfter: answer.headers.get("retry-after") });
    } catch {
      this.unanswered.push(said);
      await Bun.sleep(20);
    }
  }
}

/** Nothing twice, and of each source nothing out of order. */
export function expectInOrder(heard: readonly string[]): void {
  expect(heard.length).toBe(new Set(heard).size);
  const last = new Map<string, number>();
  const wrong = heard.filter((said) => {
    const [source = "", number = ""] = said.split("-");
    const isWrong = Number(number) <= (last.get(source) ?? -1);
    last.set(source, Number(number));
    return isWrong;
  });
  expect(wrong).toEqual([]);
}

/** What was said and not heard. */
export function missing(said: readonly string[], heard: readonly string[]): readonly string[] {
  const set = new Set(heard);
  return said.filter((one) => !set.has(one));
}
