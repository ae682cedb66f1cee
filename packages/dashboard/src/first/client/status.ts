/** Whether the page is connected, and when it will be again. */

import type { ConnectionSnapshot } from "@fanfare/client";
import { find } from "./dom.ts";

const COUNT_MS = 200;

let counting: ReturnType<typeof setInterval> | undefined;

export function showState(snapshot: ConnectionSnapshot): void {
  clearInterval(counting);
  const state = stateOf(snapshot);
  find("#status", HTMLElement).dataset.state = state;
  find("#status-text", HTMLElement).textContent = sentenceFor(state, snapshot);
  find("#retry", HTMLButtonElement).hidden = state === "connecting" || state === "open";
  // Apart from the sentence, so that a screen reader does not read every second aloud.
  const countdown = find("#countdown", HTMLElement);
  const { retryAt } = snapshot;
  const count = () => {
    countdown.textContent = retryAt === undefined ? "" : `Back in ${secondsUntil(retryAt)} s`;
  };
  count();
  if (retryAt !== undefined) counting = setInterval(count, COUNT_MS);
}

type State = "connecting" | "open" | "waiting" | "stopped";

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
