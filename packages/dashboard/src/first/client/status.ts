/** Whether the page is connected, when it will be again, and how long the way to the server and back takes. */

import type { Client, ConnectionSnapshot } from "@fanfare/client";
import { draw, find, make } from "./dom.ts";
import type { Direction } from "./wire.ts";

const COUNT_MS = 200;
const PING_MS = 2_000;
const MOST_SAMPLES = 24;

let counting: ReturnType<typeof setInterval> | undefined;

export function showState(snapshot: ConnectionSnapshot, isCut: boolean): void {
  clearInterval(counting);
  const state = isCut ? "cut" : stateOf(snapshot);
  find("#status", HTMLElement).dataset.state = state;
  find("#status-text", HTMLElement).textContent = isCut ? "Offline" : sentenceFor(state, snapshot);
  find("#retry", HTMLButtonElement).hidden = state !== "waiting" && state !== "stopped";
  // Apart from the sentence, so that a screen reader does not read every second aloud.
  const countdown = find("#countdown", HTMLElement);
  const retryAt = isCut ? undefined : snapshot.retryAt;
  const count = () => {
    countdown.textContent = retryAt === undefined ? "" : `Back in ${secondsUntil(retryAt)} s`;
  };
  count();
  if (retryAt !== undefined) counting = setInterval(count, COUNT_MS);
}

/** From a ping's frame to its answer's, as the page has them. */
export class RoundTrip {
  readonly #badge = find("#latency", HTMLElement);
  readonly #samples: number[] = [];
  #sentAtMs: number | undefined;

  constructor(client: Client) {
    setInterval(() => {
      if (!document.hidden && client.snapshot.state === "connected") client.wake();
    }, PING_MS);
  }

  see(direction: Direction, text: string): void {
    if (direction === "note") this.#show(undefined);
    else if (direction === "sent" && text.startsWith('{"event":"ping"')) this.#sentAtMs = performance.now();
    else if (direction === "received" && this.#sentAtMs !== undefined && text.startsWith('{"event":"pong"')) {
      this.#show(performance.now() - this.#sentAtMs);
      this.#sentAtMs = undefined;
    }
  }

  #show(ms: number | undefined): void {
    if (ms === undefined) return this.#badge.replaceChildren("–");
    this.#samples.push(ms);
    if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
    this.#badge.replaceChildren(
      spark(this.#samples),
      make("b", "", `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`),
      make("span", "soft wide", "round trip"),
    );
  }
}

function spark(samples: readonly number[]): SVGElement {
  const most = Math.max(...samples, 1);
  const points = samples.map((ms, index) => `${(index * 44) / (MOST_SAMPLES - 1)},${15 - (ms / most) * 14}`);
  const svg = draw("svg", { class: "spark", viewBox: "0 0 44 16", "aria-hidden": "true" });
  svg.append(draw("polyline", { points: points.join(" ") }));
  return svg;
}

type State = "connecting" | "open" | "waiting" | "stopped" | "cut";

function stateOf({ state, retryAt }: ConnectionSnapshot): State {
  if (state === "connected") return "open";
  if (state === "failed") return "stopped";
  return retryAt === undefined ? "connecting" : "waiting";
}

function secondsUntil(atMs: number): number {
  return Math.max(1, Math.ceil((atMs - Date.now()) / 1000));
}

function sentenceFor(state: State, { error }: ConnectionSnapshot): string {
  if (state === "connecting") return "Connecting…";
  if (state === "open") return "Connected";
  // Asked for another token after it was sent away, or the server has no demo any more.
  if (error?.code === "token_unavailable") return "The server does not let this page in";
  return (error?.message ?? "The connection was lost").replace(/\.$/, "");
}
