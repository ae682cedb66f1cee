/** Pointers: mine goes out a few times a second, the others' move where they are. */

import type { Channel } from "@fanfare/client";
import type { Board } from "./board.ts";
import { draw, find, make } from "./dom.ts";
import type { Spot } from "./note-card.ts";
import { fraction, type Note } from "./notes.ts";
import type { Person } from "./people.ts";

export const CURSOR = "client-cursor";
/** Six a second, of the ten events that the server takes from a client: some are left for the notes. */
const EVERY_MS = 160;
/** A pointer that has not moved for so long is not looked for any more. */
const STILL_MS = 20_000;

interface Sent extends Spot {
  readonly note?: { readonly id: string } & Spot;
  readonly isPop?: true;
  readonly isTouch?: true;
}

export class Cursors {
  readonly #layer = find("#cursors", HTMLElement);
  readonly #board: Board;
  readonly #channel: Channel;
  readonly #onSent: () => void;
  readonly #others = new Map<string, { readonly element: HTMLElement; timer: ReturnType<typeof setTimeout> }>();
  readonly #isTouch = matchMedia("(pointer: coarse)").matches;
  #next: Sent | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(board: Board, channel: Channel, onSent: () => void) {
    this.#board = board;
    this.#channel = channel;
    this.#onSent = onSent;
  }

  point(spot: Spot, dragged?: Note): void {
    this.#send({ ...spot, ...(dragged && { note: { id: dragged.id, x: dragged.x, y: dragged.y } }) });
  }

  pop(spot: Spot): void {
    this.#board.pop(spot);
    this.#send({ ...spot, isPop: true });
  }

  /** Also of what is on the board: whose it is says the server. */
  hear(data: unknown, user: string, person: Person): void {
    const spot = spotOf(data);
    if (!spot) return;
    const { note, isPop, isTouch } = data as Partial<Sent>;
    this.#show(user, person, spot, isTouch === true);
    if (isPop === true) this.#board.pop(spot);
    const at = spotOf(note);
    if (at && typeof note?.id === "string") this.#board.card(note.id)?.hold(at, person.color);
  }

  forget(user: string): void {
    this.#others.get(user)?.element.remove();
    this.#others.delete(user);
  }

  /** The newest counts; what came between is not missed. A heart is never left out. */
  #send(sent: Sent): void {
    this.#next = this.#next?.isPop ? { ...sent, isPop: true } : sent;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const data = { ...this.#next, ...(this.#isTouch && { isTouch: true }) };
      this.#next = undefined;
      this.#channel.publish(CURSOR, data, { volatile: true }).then(this.#onSent, () => {});
    }, EVERY_MS);
  }

  #show(user: string, person: Person, { x, y }: Spot, isTouch: boolean): void {
    const { element, timer } = this.#others.get(user) ?? { element: pointerOf(person, isTouch) };
    clearTimeout(timer);
    element.style.setProperty("--x", String(x));
    element.style.setProperty("--y", String(y));
    if (!element.isConnected) this.#layer.append(element);
    this.#others.set(user, { element, timer: setTimeout(() => this.forget(user), STILL_MS) });
  }
}

function pointerOf({ name, color }: Person, isTouch: boolean): HTMLElement {
  const arrow = draw("svg", { viewBox: "0 0 20 20" });
  arrow.append(draw("path", { d: "M3 2l13 7-6 1.5L7 17z" }));
  const element = make("div", "cursor");
  element.append(arrow, make("span", "", isTouch ? `${name} · phone` : name));
  element.style.setProperty("--person", color);
  return element;
}

function spotOf(value: unknown): Spot | undefined {
  const { x, y } = Object(value) as Readonly<Record<string, unknown>>;
  const at = { x: fraction(x), y: fraction(y) };
  return at.x === undefined || at.y === undefined ? undefined : { x: at.x, y: at.y };
}
