/** What this node says of itself: words under its present name, each with the next number. */

import type { EngineHost } from "../../domain/ports.ts";
import { Heartbeat, UNHEARD } from "../heartbeat.ts";
import type { Store } from "./store.ts";
import type { Subjects } from "./subjects.ts";
import { encodeWord, type Unnumbered, type Word } from "./words.ts";

export class Voice {
  /** The name; another after it was reaped. */
  generation = crypto.randomUUID();
  /** The generation has been written into the stream that there is. */
  isKnown = false;
  /** The node's own records, by their sequence: written over the connection and heard on it. */
  readonly heartbeat = new Heartbeat();
  readonly #subjects: Subjects;
  readonly #store: Store;
  readonly #report: EngineHost["report"];
  readonly #lost: (why: string) => void;
  #n = 0;

  constructor(subjects: Subjects, store: Store, report: EngineHost["report"], lost: (why: string) => void) {
    this.#subjects = subjects;
    this.#store = store;
    this.#report = report;
    this.#lost = lost;
  }

  /** Whether what is said now is heard. */
  get canSpeak(): boolean {
    return this.#store.isOpen && this.isKnown;
  }

  rename(): void {
    this.generation = crypto.randomUUID();
    this.isKnown = false;
    this.#n = 0;
  }

  /** The word's number. */
  write(key: string, word: Unnumbered): number {
    const n = ++this.#n;
    this.#append(this.subject(key), { ...word, n });
    return n;
  }

  /** Who it is, and how it is. */
  say(isFresh: boolean, isComplete: boolean): void {
    const word = { type: "node", n: this.#n, report: this.#report(), isFresh, isComplete } as const;
    this.#append(this.#subjects.node(this.generation), word, (seq) => this.heartbeat.taken(seq));
  }

  /** Once an interval. */
  beat(): void {
    if (this.heartbeat.look()) this.#lost(UNHEARD);
    else this.say(false, true);
  }

  reap(generation: string): void {
    this.#append(this.#subjects.reap(generation), { type: "reap", by: this.generation });
  }

  /** Takes back all that this node has, in one word, and nothing is left of it in the stream. */
  async farewell(): Promise<void> {
    const word = encodeWord({ type: "reap", by: this.generation });
    await this.#store.append(this.#subjects.reap(this.generation), word);
    await this.#store.purge(this.#subjects.ofGeneration(this.generation));
  }

  /** Where a word about it stands. */
  subject(key: string): string {
    return `${this.#subjects.ofGeneration(this.generation).slice(0, -1)}${key}`;
  }

  /** Words have no second try of their own: where one fails, everything is compared anew. */
  #append(subject: string, word: Word, written: (seq: number) => void = () => {}): void {
    this.#store.append(subject, encodeWord(word)).then(written, () => this.#lost("a word could not be written"));
  }
}
