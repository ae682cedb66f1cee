/** Whether the page is connected, and when it will be again. */

import { find } from "./dom.ts";
import type { State } from "./session.ts";

const COUNT_MS = 200;

let counting: ReturnType<typeof setInterval> | undefined;

export function showState(state: State): void {
  clearInterval(counting);
  const status = find("#status", HTMLElement);
  status.dataset.state = state.type;
  find("#retry", HTMLButtonElement).hidden = state.type === "connecting" || state.type === "open";
  const text = find("#status-text", HTMLElement);
  const write = () => {
    const sentence = sentenceFor(state);
    if (text.textContent !== sentence) text.textContent = sentence;
  };
  write();
  if (state.type === "waiting") counting = setInterval(write, COUNT_MS);
}

function sentenceFor(state: State): string {
  switch (state.type) {
    case "connecting":
      return "Connecting…";
    case "open":
      return "Connected";
    case "waiting":
      return `${state.why}. Back in ${Math.max(1, Math.ceil((state.untilMs - performance.now()) / 1000))} s`;
    case "stopped":
      return `${state.why.replace(/\.$/, "")}.`;
  }
}
