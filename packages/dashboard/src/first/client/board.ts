/** The board: the notes on it, the tools, and where a new note is written. */

import { find, icon, make } from "./dom.ts";
import { type CardActions, NoteCard, type Spot } from "./note-card.ts";
import { fraction, type Note, TEXT_LENGTH } from "./notes.ts";

const TOOLS = ["move", "note", "react"] as const;
type Tool = (typeof TOOLS)[number];

export interface BoardActions extends CardActions {
  readonly write: (text: string, spot: Spot) => void;
  /** A heart where there is no note. */
  readonly pop: (spot: Spot) => void;
  /** Where my pointer is, and the note that it drags. */
  readonly point: (spot: Spot, dragged: Note | undefined) => void;
}

const POP_MS = 1_300;

export class Board {
  readonly element = find("#board", HTMLElement);
  readonly #layer = find("#notes", HTMLElement);
  readonly #actions: BoardActions;
  readonly #cards = new Map<string, NoteCard>();
  #tool: Tool = "move";

  constructor(actions: BoardActions) {
    this.#actions = actions;
    this.element.addEventListener("pointermove", (event) => {
      const dragged = [...this.#cards.values()].find(({ isDragged }) => isDragged);
      actions.point(this.#spot(event), dragged?.note);
    });
    this.element.addEventListener("click", (event) => this.#click(event));
    for (const tool of TOOLS)
      toolButton(tool).addEventListener("click", ({ detail }) => this.#choose(tool, detail === 0));
  }

  /** These, and no others. */
  show(notes: readonly Note[]): void {
    const wanted = new Set(notes.map(({ id }) => id));
    for (const [id, { element }] of this.#cards) {
      if (wanted.has(id)) continue;
      element.remove();
      this.#cards.delete(id);
    }
    for (const note of notes) this.#showOne(note);
  }

  card(id: string): NoteCard | undefined {
    return this.#cards.get(id);
  }

  pop({ x, y }: Spot): void {
    const heart = make("div", "pop", icon("heart"));
    heart.style.left = `${x * 100}%`;
    heart.style.top = `${y * 100}%`;
    this.element.append(heart);
    setTimeout(() => heart.remove(), POP_MS);
  }

  #showOne(note: Note): void {
    const card = this.#cards.get(note.id);
    if (card) return card.show(note);
    const added = new NoteCard(note, this.#actions);
    this.#cards.set(note.id, added);
    this.#layer.append(added.element);
  }

  #choose(tool: Tool, isByKeyboard: boolean): void {
    this.#tool = tool;
    this.element.dataset.tool = tool;
    for (const one of TOOLS) toolButton(one).ariaPressed = String(one === tool);
    // Where it goes is chosen with a pointer. Without one it is moved afterwards, with the arrow keys.
    if (tool === "note" && isByKeyboard) this.#write({ x: 0.3 + Math.random() * 0.3, y: 0.2 + Math.random() * 0.4 });
  }

  #click(event: MouseEvent): void {
    const { target } = event;
    if (!(target instanceof Element) || target.closest("form, button")) return;
    const card = this.#cards.get(target.closest<HTMLElement>(".nt")?.dataset.id ?? "");
    const spot = this.#spot(event);
    if (this.#tool === "note" && !card) this.#write(spot);
    if (this.#tool !== "react") return;
    if (card) this.#actions.like(card.note);
    else this.#actions.pop(spot);
  }

  #spot({ clientX, clientY }: MouseEvent): Spot {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    return { x: fraction((clientX - left) / width) ?? 0, y: fraction((clientY - top) / height) ?? 0 };
  }

  #write(spot: Spot): void {
    this.element.querySelector("form")?.remove();
    const input = make("textarea", "");
    input.maxLength = TEXT_LENGTH;
    input.rows = 3;
    input.ariaLabel = "Text of the note";
    input.placeholder = "Write, then press Enter";
    const form = make("form", "nt n0 draft", input);
    form.style.setProperty("--x", String(spot.x));
    form.style.setProperty("--y", String(spot.y));
    let isFinished = false;
    const finish = (isWanted: boolean) => {
      // Taking it away blurs it.
      if (isFinished) return;
      isFinished = true;
      const text = input.value.trim();
      form.remove();
      toolButton("note").focus();
      if (isWanted && text !== "") this.#actions.write(text, spot);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" && (event.key !== "Enter" || event.shiftKey)) return;
      event.preventDefault();
      finish(event.key === "Enter");
    });
    // A phone has no Escape, and its keyboard is closed by a touch beside the note.
    input.addEventListener("blur", () => finish(true));
    this.#layer.append(form);
    input.focus();
  }
}

function toolButton(tool: Tool): HTMLButtonElement {
  return find(`#tool-${tool}`, HTMLButtonElement);
}
