/**
 * How far the numbered publications of one channel have been told on this node: what comes next, what was told already,
 * what is missing before it, and who is ahead because history handed it more.
 */

import type { Connection } from "../domain/connection.ts";
import type { EventPublication, Position, Publication } from "../domain/message.ts";
import { markSeen, type SeenNumbers } from "../domain/message-id.ts";
import type { HistoryPage } from "../domain/ports.ts";

/** Publications that wait until those before them are found. */
export interface Hold {
  readonly waiting: Publication[];
  /** About how much they are. */
  bytes: number;
  readonly sinceMs: number;
  /** Something may have been lost after the reading began. */
  again: boolean;
  /** How many of those that wait came before something may have been lost. */
  early: number;
}

interface Ahead {
  readonly upTo: Position;
  /** The epoch that was being told when the client was handed a later one. */
  readonly before: string | undefined;
}

export class Sequence {
  hold: Hold | undefined;
  /** The last one that was told here. */
  #told: Position | undefined;
  /** How far other epochs were told, the last one last: the engine may come back to one of them. */
  readonly #former = new Map<string, number>();
  /** Whether some of them are forgotten. */
  #hasForgotten = false;
  /** The epochs whose numbers the present one goes on with, as far as they are known here. */
  #earlier: readonly Position[] = [];
  /** Where the first newcomer stands, while nothing was told. Those who came before there were numbers may be owed more. */
  #start: Position | undefined;
  /** Who was handed more than was told, and up to where: nobody hears an event twice. */
  readonly #ahead = new Map<Connection, Ahead>();
  /** What was told, by its senders' numbers, which it keeps where its place is lost and it is sent again. */
  readonly #marks = new Map<string, SeenNumbers>();
  /** Whether anybody came who may not have been told all that was told in other epochs. */
  hasNewcomers = false;

  /** What is known not to be missing: the next one is the one after it. */
  get base(): Position | undefined {
    return this.#told ?? this.#start;
  }

  /** The connection has everything up to there; `isAlone` where nobody else is owed anything. */
  addReader(connection: Connection, end: Position, isAlone: boolean): void {
    const upTo = this.#inPresent(end);
    this.hasNewcomers = true;
    if (isAlone && !this.#told) this.#told = upTo;
    if (!this.#told && (!this.#start || isUpTo(upTo, this.#start))) this.#start = upTo;
    if (isUpTo(upTo, this.#told)) return;
    // An epoch that was told before need not be a later one: the answer may be old.
    const before = this.#former.has(upTo.epoch) ? undefined : this.base?.epoch;
    this.#ahead.set(connection, { upTo, before });
  }

  removeReader(connection: Connection): void {
    this.#ahead.delete(connection);
  }

  /** Whether more has been told than up to there: whoever is only there would miss something. */
  isPast(place: Position): boolean {
    const position = this.#inPresent(place);
    return this.#told !== undefined && position.epoch === this.#told.epoch && position.offset < this.#told.offset;
  }

  /** Whether anything of the epoch was told. */
  knows(epoch: string): boolean {
    return this.base?.epoch === epoch || this.#former.has(epoch);
  }

  /** A numbering that begins anew at one follows whatever was before: the engine tells where something was lost. */
  judge(position: Position): "next" | "told" | "hole" {
    if (isUpTo(position, this.#told)) return "told";
    const { base } = this;
    if (!base) return "next";
    if (base.epoch === position.epoch) return position.offset <= base.offset + 1 ? "next" : "hole";
    const former = this.#former.get(position.epoch);
    // What comes after it is late, or the engine is back in that epoch: history says which.
    if (former !== undefined) return position.offset <= former ? "told" : "hole";
    return position.offset === 1 ? "next" : "hole";
  }

  /** It is told now. Answers with those who have it already. */
  advance(position: Position): readonly Connection[] {
    this.#moveTo(position);
    if (this.#ahead.size === 0) return NO_CONNECTIONS;
    const having: Connection[] = [];
    for (const [connection, { upTo, before }] of this.#ahead) {
      const isOlder = position.epoch === before && position.epoch !== upTo.epoch;
      const isOld = isOlder || isUpTo(position, upTo);
      if (isOld) having.push(connection);
      if (!isOld || (!isOlder && position.offset === upTo.offset)) this.#ahead.delete(connection);
    }
    return having;
  }

  /** Whether it was not told before, under another place. */
  isFirst({ messageId: mark }: EventPublication): boolean {
    return !mark || markSeen(this.#marks, mark);
  }

  /** What lies before this one is lost, and is not waited for any more. */
  skipTo(position: Position): void {
    this.#moveTo({ epoch: position.epoch, offset: position.offset - 1 });
  }

  /**
   * The engine is in another epoch: goes on in it, behind all that was told, be it under that epoch's name or under one
   * whose numbers it goes on with. What nobody can tell apart from what was told is skipped.
   */
  continueIn({ position, earlierEpochs: earlier = [] }: HistoryPage): void {
    const known = [position, ...earlier].find(({ epoch }) => epoch === "" || this.knows(epoch));
    const unknown = this.#hasForgotten ? position.offset : 0;
    const offset = known ? Math.min(known.offset, this.#toldOf(known.epoch)) : unknown;
    this.#moveTo({ epoch: position.epoch, offset });
    this.#earlier = earlier;
    for (const [connection, { upTo }] of this.#ahead) {
      this.#ahead.set(connection, { upTo: this.#inPresent(upTo), before: undefined });
    }
  }

  /** Those who were handed another epoch than the one that is being told. */
  get strays(): readonly Connection[] {
    return [...this.#ahead].flatMap(([connection, { upTo }]) => (upTo.epoch === this.base?.epoch ? [] : connection));
  }

  /** The same place by the name of the present epoch, where that goes on with the numbers of the other. */
  #inPresent(place: Position): Position {
    const end = this.#earlier.find(({ epoch }) => epoch === place.epoch)?.offset;
    if (end === undefined || !this.#told) return place;
    return { epoch: this.#told.epoch, offset: Math.min(place.offset, end) };
  }

  #toldOf(epoch: string): number {
    const { base } = this;
    if (base?.epoch === epoch) return base.offset;
    return this.#former.get(epoch) ?? Number.POSITIVE_INFINITY;
  }

  #moveTo(position: Position): void {
    const { base } = this;
    if (base && base.epoch !== position.epoch) {
      this.#former.delete(base.epoch);
      this.#former.set(base.epoch, this.#farthestIn(base));
      this.#earlier = [];
      this.hasNewcomers = this.#ahead.size > 0;
      const [oldest] = this.#former.keys();
      if (this.#former.size > MOST_FORMER && oldest !== undefined) {
        this.#former.delete(oldest);
        this.#hasForgotten = true;
      }
    }
    this.#former.delete(position.epoch);
    this.#told = position;
  }

  /** Where somebody was handed more of the epoch than was told, nobody may be told that when the engine is back there. */
  #farthestIn({ epoch, offset }: Position): number {
    let farthest = offset;
    for (const { upTo } of this.#ahead.values()) {
      if (upTo.epoch === epoch) farthest = Math.max(farthest, upTo.offset);
    }
    return farthest;
  }
}

const MOST_FORMER = 16;
const NO_CONNECTIONS: readonly Connection[] = [];

export function isUpTo(position: Position | undefined, end: Position | undefined): boolean {
  return position !== undefined && end?.epoch === position.epoch && position.offset <= end.offset;
}
