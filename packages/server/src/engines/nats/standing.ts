/** What this node has, as the stream should have it: written where it is not, and again before it is too old. */

import type { Clock } from "../../domain/ports.ts";
import type { Holdings, Tally } from "./holdings.ts";
import type { Change, Picture } from "./picture.ts";
import type { Store } from "./store.ts";
import type { Voice } from "./voice.ts";
import { about, joinWord, tallyWord, type Unnumbered } from "./words.ts";

export class Standing {
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #mine: Holdings;
  readonly #voice: Voice;

  constructor(clock: Clock, store: Store, mine: Holdings, voice: Voice) {
    this.#clock = clock;
    this.#store = store;
    this.#mine = mine;
    this.#voice = voice;
  }

  /** All of it; where the stream is new to this node, whether it has it or not. */
  putRight(picture: Picture, isNew: boolean): void {
    const known = picture.generations.get(this.#voice.generation);
    const written = [...(known?.rows.keys() ?? []), ...(known?.tallies.keys() ?? [])];
    for (const key of new Set([...this.#mine.keys(), ...written])) {
      const word = this.#missing(picture, key, isNew);
      if (word) this.#rewrite(key, word);
      else this.#settle(picture, key);
    }
  }

  /** Counts that wait to be written, and what will soon be too old. */
  write(): void {
    for (const key of this.#mine.pending) {
      const tally = this.#mine.tallies.get(key);
      if (tally) this.#voice.write(key, tallyWord(tally));
    }
    this.#mine.pending.clear();
    this.#writeOldAgain();
  }

  /** The node's own count is known here before it is written. */
  show(picture: Picture, key: string, { count }: Tally): void {
    const known = picture.generations.get(this.#voice.generation);
    const shown = known?.tallies.get(key);
    if (known && shown && count > 0) picture.recount(known, key, count);
  }

  #missing(picture: Picture, key: string, isNew: boolean): Unnumbered | undefined {
    const known = picture.generations.get(this.#voice.generation);
    const row = this.#mine.rows.get(key);
    const tally = this.#mine.tallies.get(key);
    const written = known?.rows.get(key);
    const counted = known?.tallies.get(key);
    if (row) return isNew || !written ? joinWord(row.row, row.most, row.joinedAtMs) : undefined;
    if (tally) return isNew || counted?.count !== tally.count ? tallyWord(tally) : undefined;
    if (written) return { type: "leave", ...about(written.row) };
    return counted && { type: "tally", ...about(counted), count: 0 };
  }

  #rewrite(key: string, word: Unnumbered): void {
    const n = this.#voice.write(key, word);
    for (const waiter of this.#mine.waiting(key)) waiter.n = undefined;
    const last = this.#mine.waiting(key).findLast(({ type }) => type === word.type);
    if (last) last.n = n;
  }

  /** The stream has it as it should be: answers whoever waits by how things are. */
  #settle(picture: Picture, key: string): void {
    for (const waiter of this.#mine.takeAll(key)) {
      const { type, app, channel, user = "" } = waiter;
      const holders = picture.holders(app, channel, user);
      const row = this.#mine.rows.get(key)?.row;
      const changes: Change[] = [];
      if (type === "join" && row && holders === 1) changes.push({ type: "joined", row });
      if (type === "leave" && holders === 0)
        changes.push({ type: "left", app, channel, member: { id: user, info: null } });
      waiter.resolve({ type: "done", changes });
    }
  }

  #writeOldAgain(): void {
    const nowMs = this.#clock.monotonicMs();
    const isOld = ({ writtenAtMs }: { writtenAtMs: number }) => nowMs - writtenAtMs > this.#store.maxAgeMs / 2;
    for (const [key, holding] of this.#mine.rows) {
      if (!isOld(holding)) continue;
      holding.writtenAtMs = nowMs;
      this.#voice.write(key, joinWord(holding.row, holding.most, holding.joinedAtMs));
    }
    for (const [key, tally] of this.#mine.tallies) {
      if (!isOld(tally)) continue;
      tally.writtenAtMs = nowMs;
      this.#voice.write(key, tallyWord(tally));
    }
  }
}
