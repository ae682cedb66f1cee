/** The frames as they pass, both ways: the newest at the foot, and in the drawer the last 200 with what is in them. */

import { clockTime, count, find, growing, make, perFrame, scrollable } from "./dom.ts";
import { painted } from "./paint.ts";
import type { Direction } from "./wire.ts";

interface Passed {
  readonly direction: Direction;
  readonly text: string;
  readonly at: Date;
}

const MOST_FRAMES = 200;
/** What is shown of a frame that is closed, and of one that was opened. */
const PREVIEW_LENGTH = 240;
const LONGEST_FRAME = 4_000;

export class Frames {
  readonly #list = scrollable(find("#frames", HTMLOListElement));
  readonly #append = growing(this.#list, MOST_FRAMES);
  readonly #drawer = find("#drawer", HTMLElement);
  readonly #bar = find("#frames-bar", HTMLButtonElement);
  readonly #pause = find("#frames-pause", HTMLButtonElement);
  /** Passed, and not yet in the drawer. */
  #waiting: Passed[] = [];
  #total = 0;
  /** Of what the drawer does not show. */
  #missed = 0;
  #isPaused = false;
  readonly #drawSoon = perFrame(() => this.#draw());

  constructor() {
    this.#bar.addEventListener("click", () => {
      this.#drawer.hidden = !this.#drawer.hidden;
      this.#bar.ariaExpanded = String(!this.#drawer.hidden);
      this.#drawSoon();
    });
    this.#pause.addEventListener("click", () => this.#toggle());
    find("#frames-clear", HTMLButtonElement).addEventListener("click", () => this.#clear());
  }

  add(direction: Direction, text: string): void {
    this.#total++;
    this.#waiting.push({ direction, text, at: new Date() });
    if (this.#waiting.length > MOST_FRAMES) this.#waiting.shift();
    if (this.#isPaused) this.#missed++;
    this.#drawSoon();
  }

  #draw(): void {
    const waits = this.#isPaused && this.#missed > 0;
    find("#frames-count", HTMLElement).textContent = waits ? `${count(this.#missed)} waiting` : count(this.#total);
    const newest = this.#waiting.at(-1);
    if (newest) find("#frames-last", HTMLElement).textContent = oneLine(newest);
    if (this.#isPaused || this.#drawer.hidden) return;
    const passed = this.#waiting;
    this.#waiting = [];
    this.#missed = 0;
    this.#append(...passed.map(row));
  }

  #toggle(): void {
    this.#isPaused = !this.#isPaused;
    this.#pause.ariaPressed = String(this.#isPaused);
    this.#pause.textContent = this.#isPaused ? "Resume" : "Pause";
    this.#drawSoon();
  }

  #clear(): void {
    this.#waiting = [];
    this.#missed = 0;
    this.#total = 0;
    this.#list.replaceChildren();
    this.#drawSoon();
  }
}

function oneLine({ direction, text }: Passed): string {
  return `${{ sent: "↑", received: "↓", note: "·" }[direction]} ${text.slice(0, PREVIEW_LENGTH)}`;
}

function row(passed: Passed): HTMLElement {
  return passed.direction === "note" ? noteRow(passed) : frameRow(passed);
}

function noteRow({ text, at }: Passed): HTMLElement {
  return make("li", "frame-note", `${clockTime(at)} · ${text}`);
}

function frameRow({ direction, text, at }: Passed): HTMLElement {
  const isSent = direction === "sent";
  const arrow = make("span", "arrow", isSent ? "↑" : "↓");
  arrow.role = "img";
  arrow.ariaLabel = isSent ? "sent" : "received";
  const head = make("span", "frame-head", arrow, make("b", "", eventOf(text)), make("time", "", clockTime(at, true)));
  const preview = make("code", "preview", ...painted(cut(text, PREVIEW_LENGTH)));
  const details = make("details", "", make("summary", "", head, preview));
  const whole = scrollable(make("pre", "whole"));
  details.append(whole);
  details.addEventListener("toggle", () => {
    if (details.open && whole.childNodes.length === 0) whole.append(...painted(cut(pretty(text), LONGEST_FRAME)));
  });
  return make("li", `frame ${direction}`, details);
}

function eventOf(text: string): string {
  const { event } = (parsed(text) ?? {}) as { event?: unknown };
  return typeof event === "string" ? event.slice(0, 60) : "(no event)";
}

function pretty(text: string): string {
  const value = parsed(text);
  return value === undefined ? text : JSON.stringify(value, null, 2);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length - most} more)`;
}
