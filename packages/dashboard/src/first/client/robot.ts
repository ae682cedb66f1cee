/** Company for somebody who is alone: a second connection of the page, which does on the board what a guest would. */

import type { Client } from "@fanfare/client";
import { CURSOR } from "./cursors.ts";
import { CURSORS, createGuest, WORKSHOP } from "./guest.ts";
import type { Spot } from "./note-card.ts";
import { COLORS, type Note, Notes, rounded } from "./notes.ts";
import { personOf } from "./people.ts";

/** Where they do not cover each other, on a phone either. */
const IDEAS: readonly (readonly [text: string, x: number, y: number])[] = [
  ["Live cursors for the warehouse map", 0.08, 0.06],
  ["Order status without reloading", 0.46, 0.28],
  ["Who is typing?", 0.92, 0.06],
  ["Votes on Friday’s menu", 0.07, 0.6],
  ["Driver positions, every second", 0.52, 0.92],
  ["A quiz with 2,000 people", 0.93, 0.58],
];
const STEP_MS = 160;
const STEPS = 3;
const REST_MS = 150;
/** Afterwards it takes its time: what it does fills the channel's history, which is for what people did. */
const LIVELY_ACTS = 60;
const CALM_REST_MS = 4_000;

export class Robot {
  readonly #client: Client;
  readonly #notes = new Notes();
  readonly #stopped = new AbortController();
  #at: Spot = { x: 0.5, y: 0.5 };
  #turn = 0;
  #livelyUntil = LIVELY_ACTS;

  constructor(key: string) {
    this.#client = createGuest({ key });
    const room = this.#client.channel(WORKSHOP);
    room.onAny(
      ({ event, data, meta }) => this.#notes.hear(event, data, personOf(meta.user ?? "", undefined), meta.position),
      { rewind: true },
    );
    this.#client.channel(CURSORS).hold();
    void this.#work();
  }

  stop(): void {
    this.#stopped.abort();
    this.#client.close();
  }

  /** Somebody wants to see something happen. */
  enliven(): void {
    this.#livelyUntil = this.#turn + LIVELY_ACTS;
  }

  async #work(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      // Also while the server is away: it goes on once the connection is back.
      await this.#act().catch(() => {});
      await pause(this.#turn < this.#livelyUntil ? REST_MS : CALM_REST_MS);
    }
  }

  async #act(): Promise<void> {
    await this.#client.connected({ signal: this.#stopped.signal });
    const room = this.#client.channel(WORKSHOP);
    if (room.snapshot.state !== "attached") return;
    const { all } = this.#notes;
    const idea = IDEAS.findIndex(([text]) => !all.some((note) => note.text === text));
    const [text = "", x = 0, y = 0] = IDEAS[idea] ?? [];
    const turn = this.#turn++;
    const mine = all.filter(({ by }) => by === "Robot");
    const note = (turn % 3 === 2 ? all : mine)[turn % Math.max(1, mine.length)];
    if (idea >= 0) {
      await this.#glide({ x, y });
      const added = { id: crypto.randomUUID(), text, x, y, color: idea % COLORS, likes: 0, by: "Robot" };
      return this.#put(added);
    }
    if (!note) return;
    await this.#glide(note);
    if (turn % 3 === 2) {
      await room.publish("like", { id: note.id });
      this.#notes.like(note);
    } else await this.#move(note);
  }

  /** Not far: the notes stay where they can be read. */
  async #move(note: Note): Promise<void> {
    const [, x = note.x, y = note.y] = IDEAS.find(([text]) => text === note.text) ?? [];
    const near = (from: number) => Math.min(0.97, Math.max(0.03, rounded(from + (Math.random() - 0.5) * 0.08)));
    const moved = { ...note, x: near(x), y: near(y) };
    await this.#glide(moved, note);
    await this.#put(moved);
  }

  async #put(note: Note): Promise<void> {
    await this.#client.channel(WORKSHOP).publish("note", note);
    this.#notes.put(note);
  }

  async #glide(to: Spot, dragged?: Note): Promise<void> {
    const from = this.#at;
    for (let step = 1; step <= STEPS; step++) {
      const part = step / STEPS;
      const at = { x: rounded(from.x + (to.x - from.x) * part), y: rounded(from.y + (to.y - from.y) * part) };
      this.#at = at;
      const data = { ...at, ...(dragged && { note: { ...at, id: dragged.id } }) };
      this.#client
        .channel(CURSORS)
        .publish(CURSOR, data, { volatile: true })
        .catch(() => {});
      await pause(STEP_MS);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
