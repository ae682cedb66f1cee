/** The frames as they pass, both ways: the last 200, and what is in them. */

import { clockTime, find, growing, make } from "./dom.ts";
import type { Direction } from "./lobby.ts";
import { paint } from "./paint.ts";

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
  readonly #list = find("#frames", HTMLOListElement);
  readonly #append = growing(this.#list, MOST_FRAMES);
  readonly #count = find("#frames-count", HTMLElement);
  readonly #pause = find("#frames-pause", HTMLButtonElement);
  /** Passed, and not yet on the page: shown once per picture, so that a flood costs no more than the screen shows. */
  #waiting: Passed[] = [];
  #missed = 0;
  #total = 0;
  #isPaused = false;
  #isDrawing = false;

  constructor() {
    this.#pause.addEventListener("click", () => this.#toggle());
    find("#frames-clear", HTMLButtonElement).addEventListener("click", () => this.#clear());
  }

  add(direction: Direction, text: string): void {
    this.#total++;
    this.#waiting.push({ direction, text, at: new Date() });
    if (this.#waiting.length > MOST_FRAMES) this.#waiting.shift();
    if (this.#isPaused) this.#missed++;
    this.#draw();
  }

  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#count.textContent = this.#isPaused && this.#missed > 0 ? `${this.#missed} waiting` : String(this.#total);
      if (this.#isPaused) return;
      const passed = this.#waiting;
      this.#waiting = [];
      this.#missed = 0;
      this.#append(...passed.map(row));
    });
  }

  #toggle(): void {
    this.#isPaused = !this.#isPaused;
    this.#pause.ariaPressed = String(this.#isPaused);
    this.#pause.textContent = this.#isPaused ? "Resume" : "Pause";
    this.#draw();
  }

  #clear(): void {
    this.#waiting = [];
    this.#missed = 0;
    this.#total = 0;
    this.#list.replaceChildren();
    this.#draw();
  }
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
  const preview = make("code", "preview");
  paint(preview, cut(text, PREVIEW_LENGTH));
  const details = make("details", "", make("summary", "", head, preview));
  const whole = make("pre", "whole");
  whole.tabIndex = 0;
  details.append(whole);
  details.addEventListener("toggle", () => {
    if (details.open && whole.childNodes.length === 0) paint(whole, cut(pretty(text), LONGEST_FRAME));
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
