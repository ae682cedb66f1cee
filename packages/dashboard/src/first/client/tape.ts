/** The recovery tape: what happened in the room, and what of it reached this tab, by the numbers that the server gave it. */

import type { Position } from "@fanfare/client";
import { CUT_MS, type CutState } from "./cut.ts";
import { draw, find, icon, perFrame } from "./dom.ts";

type Reached = "heard" | "missed" | "recovered";

interface Mark {
  readonly offset: number;
  readonly atMs: number;
  reached: Reached;
}

const MOST_MARKS = 80;
const HEIGHT = 144;
const ROOM_Y = 46;
const YOU_Y = 98;
const LEFT = 58;
/** So much time for so much width: the lane goes to the left by itself. */
const PX_PER_S = 24;
const TICK_MS = 100;
const CALM_TICK_MS = 1_000;
/** What the words at the end of the gap take. */
const LABEL_PX = 110;
/** Numbers that stand closer would cover each other. */
const NUMBER_PX = 22;

export class Tape {
  readonly #svg = find("#lanes", SVGSVGElement);
  readonly #head = find("#tape-head", HTMLElement);
  readonly #text = find("#tape-text", HTMLElement);
  readonly #button = find("#cut", HTMLButtonElement);
  readonly #hint = find("#cut-hint", HTMLElement);
  #marks: Mark[] = [];
  #epoch = "";
  #state: CutState = { phase: "whole" };
  readonly #drawSoon = perFrame(() => this.#draw());

  constructor(onToggle: () => void) {
    this.#button.addEventListener("click", onToggle);
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setInterval(this.#drawSoon, isCalm ? CALM_TICK_MS : TICK_MS);
    this.#say();
  }

  mark({ epoch, offset }: Position, reached: Reached): void {
    if (epoch !== this.#epoch) this.#marks = [];
    this.#epoch = epoch;
    const known = this.#marks.find((mark) => mark.offset === offset);
    if (known) known.reached = reached;
    else this.#marks.push({ offset, atMs: Date.now(), reached });
    if (this.#marks.length > MOST_MARKS) this.#marks.shift();
    this.#drawSoon();
  }

  show(state: CutState): void {
    this.#state = state;
    this.#say();
    this.#drawSoon();
  }

  #say(): void {
    const { head, tone, text, hint } = wordsFor(this.#state);
    const isCut = this.#state.phase === "cut";
    this.#head.textContent = head;
    this.#head.dataset.tone = tone;
    this.#text.textContent = text;
    this.#hint.textContent = hint;
    const label = isCut ? "Bring it back" : this.#state.phase === "whole" ? "Cut my connection" : "Cut it again";
    this.#button.replaceChildren(icon(isCut ? "bolt" : "cut"), label);
    this.#button.className = isCut ? "cut-button primary" : "cut-button danger";
  }

  #draw(): void {
    if (document.hidden) return;
    const width = this.#svg.clientWidth || 620;
    const x = (atMs: number) => width - 18 - ((Date.now() - atMs) / 1000) * PX_PER_S;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute("aria-label", `The last events of the room, and what reached you: ${countsOf(this.#marks)}`);
    const visible = this.#marks.filter(({ atMs }) => x(atMs) > LEFT + 6);
    find("#lanes-drawing", SVGGElement).replaceChildren(
      draw("text", { class: "lane", x: 12, y: ROOM_Y + 4 }, "Room"),
      draw("text", { class: "lane", x: 12, y: YOU_Y + 4 }, "You"),
      draw("path", { class: "rail", d: `M${LEFT},${ROOM_Y}H${width}M${LEFT},${YOU_Y}H${width}` }),
      draw("text", { x: LEFT, y: 16 }, "event number in the channel"),
      draw("text", { x: width - 12, y: 16, "text-anchor": "end" }, "now"),
      ...this.#gap(x, width),
      ...visible.flatMap((mark, index) => drawn(mark, x(mark.atMs), x(visible[index - 1]?.atMs ?? 0))),
    );
  }

  /** The time that one was away. */
  #gap(x: (atMs: number) => number, width: number): SVGElement[] {
    const state = this.#state;
    if (state.phase === "whole") return [];
    const [from, to] = [x(state.atMs), state.phase === "cut" ? width : x(state.backAtMs)];
    if (to < LEFT) return [];
    const left = Math.max(LEFT, from);
    const gap = draw("rect", {
      class: "gap",
      x: left,
      y: YOU_Y - 17,
      width: Math.max(0, to - left),
      height: 34,
      rx: 4,
    });
    const edge = (at: number, kind: string) => draw("path", { class: kind, d: `M${at},${YOU_Y - 22}v44` });
    const label = (at: number, kind: string, text: string) =>
      draw("text", { class: kind, x: at - 4, y: YOU_Y + 34, "text-anchor": "end" }, text);
    return [
      gap,
      ...(from > LEFT ? [edge(from, "edge")] : []),
      ...(from > LEFT && (state.phase === "cut" || to - from > LABEL_PX) ? [label(from, "bad", "cut")] : []),
      ...(state.phase === "cut" ? [] : [edge(to, "edge back"), label(to, "good", backWords(state))]),
    ];
  }
}

function drawn({ offset, reached }: Mark, x: number, before: number): SVGElement[] {
  return [
    draw("path", { class: `thread ${reached}`, d: `M${x},${ROOM_Y + 7}V${YOU_Y - 7}` }),
    draw("circle", { class: "room-dot", cx: x, cy: ROOM_Y, r: 5.5 }),
    draw("circle", { class: `you-dot ${reached}`, cx: x, cy: YOU_Y, r: 5.5, "data-offset": offset }),
    ...(x - before < NUMBER_PX
      ? []
      : [draw("text", { class: "number", x, y: ROOM_Y - 13, "text-anchor": "middle" }, String(offset))]),
  ];
}

function countsOf(marks: readonly Mark[]): string {
  const countOf = (wanted: Reached) => marks.filter(({ reached }) => reached === wanted).length;
  return `${countOf("heard")} heard, ${countOf("missed")} missed, ${countOf("recovered")} recovered`;
}

type Back = Extract<CutState, { backAtMs: number }>;

function backWords({ recovered, missed }: Back): string {
  return `${recovered} of ${missed} recovered`;
}

interface Words {
  readonly head: string;
  readonly tone: "" | "good" | "bad";
  readonly text: string;
  readonly hint: string;
}

function wordsFor(state: CutState): Words {
  switch (state.phase) {
    case "whole":
      return {
        head: "Nothing gets lost",
        tone: "",
        text: "Cut your own connection and watch. When you are back, you get exactly what you missed.",
        hint: "",
      };
    case "cut":
      return {
        head: state.missed === 1 ? "1 event missed so far" : `${state.missed} events missed so far`,
        tone: "bad",
        text: "The others go on. The server keeps what you miss; a second connection of this page watches it.",
        hint: `or wait: it comes back after ${CUT_MS / 1000} s`,
      };
    case "returning":
      return { head: "Coming back…", tone: "", text: `${backWords(state)}.`, hint: askedWith(state) };
    case "recovered":
      return { head: headOf(state), tone: "good", text: tookWords(state), hint: askedWith(state) };
    case "lost":
      return {
        head: `${state.missed - state.recovered} of ${state.missed} were not recovered`,
        tone: "bad",
        text: "The server does not keep that much, or has lost it. It says so, and this page has loaded the board again.",
        hint: askedWith(state),
      };
  }
}

function headOf({ missed }: Back): string {
  if (missed === 0) return "You missed nothing";
  return missed === 1 ? "The event that you missed is here" : `All ${missed} events are here`;
}

function tookWords({ atMs, backAtMs, tookMs, recovered, missed }: Back): string {
  const away = `Back after ${((backAtMs - atMs) / 1000).toFixed(1)} s.`;
  if (missed === 0) return `${away} Nothing happened in the room meanwhile.`;
  return `${away} ${recovered} of ${missed} came in ${Math.round(tookMs)} ms, in order, none twice.`;
}

function askedWith({ from }: Back): string {
  return from ? `asked with position ${from.epoch.slice(0, 4)}:${from.offset}` : "";
}
