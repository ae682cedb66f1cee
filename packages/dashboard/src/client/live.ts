/** The live connection: Fanfare's own client, and what of it the page shows. */

import { type ConnectionSnapshot, createClient } from "@fanfare/client";
import { type Signal, signal } from "@preact/signals";
import { type LiveEvents, liveChannel, type Ticket, type Watch } from "fanfare/wire/admin";
import { call, Refused } from "./api.ts";

export type LiveState =
  | { readonly is: "off" | "connecting" | "live" }
  /** Not connected since then, and the next attempt is at `untilMs`. */
  | { readonly is: "waiting"; readonly sinceMs: number; readonly untilMs: number; readonly why: string };

/** A session that was ended, and a ticket that was refused, are told by the next call for one. */
const AFTER_REFUSAL_MS = 5_000;

class Live {
  readonly state: Signal<LiveState> = signal<LiveState>({ is: "off" });
  /** Why the server refused to be watched, the last time it did. */
  readonly problem: Signal<string | undefined> = signal<string | undefined>(undefined);
  readonly #client = createClient({ url: addressWithTicket, connect: "manual", lingerMs: 0 });
  #afterRefusal: ReturnType<typeof setTimeout> | undefined;
  #isStarted = false;
  #lostAtMs: number | undefined;

  constructor() {
    this.#client.subscribe(() => this.#show(this.#client.snapshot));
  }

  start(): void {
    this.#isStarted = true;
    this.#client.connect();
  }

  stop(): void {
    this.#isStarted = false;
    this.#lostAtMs = undefined;
    clearTimeout(this.#afterRefusal);
    this.#client.close();
  }

  /** Comes back at once instead of after the pause. */
  retry(): void {
    if (!this.#isStarted) return;
    if (this.#client.snapshot.state === "failed") this.#client.connect();
    else this.#client.wake();
  }

  /** Until the answer is called. The data has the shape that the wire's types give the name. */
  watch<K extends keyof LiveEvents>(watch: Watch, name: K, hear: (data: LiveEvents[K]) => void): () => void {
    const channel = this.#client.channel(liveChannel(watch));
    const ends = [channel.on(name, hear), channel.subscribe(() => this.#showProblem(channel.snapshot.error?.message))];
    return () => {
      for (const end of ends) end();
    };
  }

  #showProblem(why: string | undefined): void {
    if (why !== undefined) this.problem.value = why;
  }

  #show({ state, retryAt, error }: ConnectionSnapshot): void {
    clearTimeout(this.#afterRefusal);
    if (state === "connected") {
      this.problem.value = undefined;
      this.#lostAtMs = undefined;
      this.state.value = { is: "live" };
    } else if (state === "failed") {
      this.#afterRefusal = setTimeout(() => this.retry(), AFTER_REFUSAL_MS);
      this.#wait(Date.now() + AFTER_REFUSAL_MS, error);
    } else if (retryAt !== undefined) this.#wait(retryAt, error);
    // The next attempt after a loss is a part of being away.
    else if (!this.#isStarted) this.state.value = { is: "off" };
    else if (this.#lostAtMs === undefined) this.state.value = { is: "connecting" };
  }

  #wait(untilMs: number, error: ConnectionSnapshot["error"]): void {
    const refused = error?.cause instanceof Refused ? error.cause : undefined;
    this.#lostAtMs ??= Date.now();
    const why = refused?.message ?? error?.message ?? "The connection broke.";
    this.state.value = { is: "waiting", sinceMs: this.#lostAtMs, untilMs, why };
  }
}

async function addressWithTicket(signal: AbortSignal): Promise<string> {
  const { ticket } = await call<Ticket>("POST", "api/ticket", undefined, signal);
  const address = new URL(`api/live?ticket=${encodeURIComponent(ticket)}`, location.href);
  address.hash = "";
  return address.href;
}

export const live = new Live();
