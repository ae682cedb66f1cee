/** What is on the board, from what was published: the same for everybody, whoever came when. What others send is checked, not believed. */

import type { Position } from "@fanfare/client";
import type { Person } from "./people.ts";

/** Published whole each time, so that whatever of the past is gone, what is left says where things are. */
export interface Note {
  readonly id: string;
  readonly text: string;
  /** From 0 to 1, of the room that the board leaves a note. */
  readonly x: number;
  readonly y: number;
  readonly color: number;
  readonly likes: number;
  readonly by: string;
}

export interface Change {
  readonly what: "added" | "moved" | "liked";
  readonly note: Note;
}

export const TEXT_LENGTH = 120;
export const COLORS = 5;
const ID_LENGTH = 40;
const MOST_NOTES = 40;
const MOST_LIKES = 9_999;

export class Notes {
  readonly #notes = new Map<string, Note>();
  #heard: Position | undefined;

  get all(): readonly Note[] {
    return [...this.#notes.values()];
  }

  get(id: string): Note | undefined {
    return this.#notes.get(id);
  }

  /** Undefined where it changes nothing: it was heard before, or is of no kind that the board knows. */
  hear(event: string, data: unknown, who: Person, position: Position | undefined): Change | undefined {
    if (!this.#isNew(position)) return undefined;
    return event === "like" ? this.#like(data) : this.put(noteOf(event, data, who));
  }

  /** The oldest makes room for the newest. */
  put(note: Note | undefined): Change | undefined {
    if (!note) return undefined;
    const before = this.#notes.get(note.id);
    const likes = Math.max(note.likes, before?.likes ?? 0);
    const after = { ...note, likes, by: before?.by ?? note.by };
    this.#notes.set(note.id, after);
    const [oldest] = this.#notes.keys();
    if (this.#notes.size > MOST_NOTES && oldest !== undefined) this.#notes.delete(oldest);
    return { what: before ? "moved" : "added", note: after };
  }

  remove(id: string): void {
    this.#notes.delete(id);
  }

  #like(data: unknown): Change | undefined {
    const note = this.#notes.get(textOf(Object(data).id));
    return note && this.like(note);
  }

  like(note: Note): Change {
    const after = { ...note, likes: note.likes + 1 };
    this.#notes.set(note.id, after);
    return { what: "liked", note: after };
  }

  #isNew(position: Position | undefined): boolean {
    if (!position) return true;
    if (this.#heard?.epoch === position.epoch && position.offset <= this.#heard.offset) return false;
    this.#heard = position;
    return true;
  }
}

/** A note, or anything that a back end published, on a note of its own. */
function noteOf(event: string, data: unknown, who: Person): Note | undefined {
  if (event.startsWith("client-")) return undefined;
  const { id, text, x, y, color, likes, by } = Object(data) as Readonly<Record<string, unknown>>;
  const said = typeof text === "string" ? text : typeof data === "string" ? data : JSON.stringify(data ?? null);
  const isNote = typeof id === "string" && id !== "";
  return {
    id: isNote ? id.slice(0, ID_LENGTH) : crypto.randomUUID(),
    text: shortened(isNote || event === "note" || event === "" ? said : `${event}: ${said}`),
    x: fraction(x) ?? 0.3 + Math.random() * 0.4,
    y: fraction(y) ?? 0.3 + Math.random() * 0.4,
    color: Number.isInteger(color) ? Math.abs(color as number) % COLORS : 0,
    likes: Number.isInteger(likes) ? Math.min(MOST_LIKES, Math.max(0, likes as number)) : 0,
    by: (typeof by === "string" && by !== "" ? by : who.name).slice(0, ID_LENGTH),
  };
}

/** One line of so many characters. */
export function shortened(text: string): string {
  const characters = Array.from(text.replaceAll(/\s+/g, " ").trim());
  return characters.length <= TEXT_LENGTH ? characters.join("") : `${characters.slice(0, TEXT_LENGTH - 1).join("")}…`;
}

export function fraction(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? rounded(Math.min(1, Math.max(0, value))) : undefined;
}

/** A pixel or two, on any board: more digits would only lengthen the frames. */
export function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
