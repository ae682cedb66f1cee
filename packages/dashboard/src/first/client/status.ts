/** Whether the page is connected, and when it will be again. */

import { find } from "./dom.ts";
import type { State } from "./session.ts";

const COUNT_MS = 200;

let counting: ReturnType<typeof setInterval> | undefined;

export function showState(state: State): void {
  clearInterval(counting);
  find("#status", HTMLElement).dataset.state = state.type;
  find("#status-text", HTMLElement).textContent = sentenceFor(state);
  find("#retry", HTMLButtonElement).hidden = state.type === "connecting" || state.type === "open";
  // Apart from the sentence, so that a screen reader does not read every second aloud.
  const countdown = find("#countdown", HTMLElement);
  const count = () => {
    countdown.textContent = state.type === "waiting" ? `Back in ${secondsUntil(state.untilMs)} s` : "";
  };
  count();
  if (state.type === "waiting") counting = setInterval(count, COUNT_MS);
}

function secondsUntil(atMs: number): number {
  return Math.max(1, Math.ceil((atMs - performance.now()) / 1000));
}

function sentenceFor(state: State): string {
  switch (state.type) {
    case "connecting":
      return "Connecting…";
    case "open":
      return "Connected";
    case "waiting":
    case "stopped":
      return `${state.why}.`;
  }
}
