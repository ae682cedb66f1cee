/** One note as one sees it: dragged by mouse, finger or arrow keys, and liked. */

import { count, icon, make, makeButton } from "./dom.ts";
import { fraction, type Note } from "./notes.ts";

export interface Spot {
  readonly x: number;
  readonly y: number;
}

export interface CardActions {
  /** I have put it there. */
  readonly put: (note: Note) => void;
  readonly like: (note: Note) => void;
}

const KEY_STEP = 0.03;
/** After the last arrow key. */
const KEYS_REST_MS = 400;
/** What others drag ends here where nothing more is heard of it. */
const HELD_MS = 2_000;
const ARROWS: Readonly<Record<string, Spot>> = {
  ArrowLeft: { x: -KEY_STEP, y: 0 },
  ArrowRight: { x: KEY_STEP, y: 0 },
  ArrowUp: { x: 0, y: -KEY_STEP },
  ArrowDown: { x: 0, y: KEY_STEP },
};

export class NoteCard {
  readonly element = make("article", "nt");
  readonly #text = make("p", "");
  readonly #by = make("span", "by-name");
  readonly #likes = make("span", "");
  readonly #like = makeButton("like", icon("heart"), this.#likes);
  readonly #actions: CardActions;
  #note: Note;
  /** As the board has it, without what I am just doing with it. */
  #shown: Note | undefined;
  /** Where in the note the pointer has it. */
  #grip: Spot | undefined;
  #isMoved = false;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #heldUntil: ReturnType<typeof setTimeout> | undefined;

  constructor(note: Note, actions: CardActions) {
    this.#note = note;
    this.#actions = actions;
    const { element } = this;
    element.append(this.#text, make("div", "by", this.#by, this.#like));
    element.tabIndex = 0;
    element.dataset.id = note.id;
    this.#like.addEventListener("click", () => actions.like(this.#note));
    element.addEventListener("pointerdown", (event) => this.#grab(event));
    element.addEventListener("pointermove", (event) => this.#drag(event));
    element.addEventListener("pointerup", () => this.#drop());
    element.addEventListener("pointercancel", () => this.#drop());
    element.addEventListener("keydown", (event) => this.#key(event));
    this.show(note);
  }

  get note(): Note {
    return this.#note;
  }

  get isDragged(): boolean {
    return this.#grip !== undefined && this.#isMoved;
  }

  /** As it is now, unless I am just moving it. */
  show(note: Note): void {
    const { element } = this;
    if (note === this.#shown) return;
    this.#shown = note;
    const isMine = this.isDragged || this.#rest !== undefined;
    this.#note = isMine ? { ...note, x: this.#note.x, y: this.#note.y } : note;
    this.#text.textContent = note.text;
    this.#by.textContent = note.by;
    this.#likes.textContent = note.likes > 0 ? count(note.likes) : "";
    this.#like.ariaLabel = `Like “${note.text}”, liked ${count(note.likes)} times`;
    element.className = `nt n${note.color}`;
    element.setAttribute("aria-label", `Note by ${note.by}`);
    this.#letGo();
    this.#place();
  }

  /** Not with the server yet, or refused by it. */
  mark(state: "pending" | "failed" | "", why = ""): void {
    this.element.dataset.state = state;
    if (why !== "") this.#by.textContent = `Not sent: ${why}`;
  }

  /** Somebody else drags it there. */
  hold({ x, y }: Spot, color: string): void {
    if (this.isDragged) return;
    this.#note = { ...this.#note, x, y };
    this.element.style.setProperty("--person", color);
    this.element.classList.add("held");
    this.#place();
    clearTimeout(this.#heldUntil);
    this.#heldUntil = setTimeout(() => this.#letGo(), HELD_MS);
  }

  #letGo(): void {
    clearTimeout(this.#heldUntil);
    this.element.classList.remove("held");
  }

  /** Of the room that the board leaves a note: so it never sticks out, on a board of whatever size. */
  #place(): void {
    this.element.style.setProperty("--x", String(this.#note.x));
    this.element.style.setProperty("--y", String(this.#note.y));
  }

  #grab(event: PointerEvent): void {
    if (event.button !== 0 || (event.target as Element).closest("button")) return;
    const { left, top } = this.element.getBoundingClientRect();
    this.#grip = { x: event.clientX - left, y: event.clientY - top };
    this.#isMoved = false;
    this.element.setPointerCapture(event.pointerId);
  }

  #drag({ clientX, clientY, movementX, movementY }: PointerEvent): void {
    const board = this.element.parentElement?.getBoundingClientRect();
    if (!this.#grip || !board || (!this.#isMoved && movementX === 0 && movementY === 0)) return;
    this.#isMoved = true;
    const room = { x: board.width - this.element.offsetWidth, y: board.height - this.element.offsetHeight };
    const x = fraction((clientX - this.#grip.x - board.left) / Math.max(1, room.x)) ?? 0;
    const y = fraction((clientY - this.#grip.y - board.top) / Math.max(1, room.y)) ?? 0;
    this.#note = { ...this.#note, x, y };
    this.#place();
  }

  #drop(): void {
    const { isDragged } = this;
    this.#grip = undefined;
    if (isDragged) this.#actions.put(this.#note);
  }

  #key(event: KeyboardEvent): void {
    const step = event.target === this.element ? ARROWS[event.key] : undefined;
    if (!step) return;
    event.preventDefault();
    const { x, y } = this.#note;
    this.#note = { ...this.#note, x: fraction(x + step.x) ?? x, y: fraction(y + step.y) ?? y };
    this.#place();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#actions.put(this.#note);
    }, KEYS_REST_MS);
  }
}
