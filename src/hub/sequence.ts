/**
 * How far the numbered publications of one channel have been told on this node: what comes next, what was told already,
 * what is missing before it, and who is ahead because history handed it more.
 */

import type { Connection } from "../domain/connection.ts";
import type { Position, Publication } from "../domain/message.ts";

/** Publications that wait until those before them are found. */
export interface Hold {
  readonly waiting: Publication[];
  /** About how much they are. */
  bytes: number;
  readonly sinceMs: number;
  /** Something may have been lost after the reading began. */
  again: boolean;
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
  /** The epochs before that one, the last few: what still comes of them is late. */
  #former: readonly string[] = [];
  /** Where the first newcomer stands, while nothing was told. Those who came before there were numbers may be owed more. */
  #start: Position | undefined;
  /** Who was handed more than was told, and up to where: nobody hears an event twice. */
  readonly #ahead = new Map<Connection, Ahead>();

  /** What is known not to be missing: the next one is the one after it. */
  get base(): Position | undefined {
    return this.#told ?? this.#start;
  }

  /** The connection has everything up to there; `isAlone` where nobody else is owed anything. */
  enter(connection: Connection, upTo: Position, isAlone: boolean): void {
    if (isAlone && !this.#told) this.#told = upTo;
    if (!this.#told && !isUpTo(this.#start, upTo)) this.#start = upTo;
    if (!isUpTo(upTo, this.#told)) this.#ahead.set(connection, { upTo, before: this.#told?.epoch });
  }

  leave(connection: Connection): void {
    this.#ahead.delete(connection);
  }

  /** Whether more has been told than up to there: whoever is only there would miss something. */
  isPast(position: Position): boolean {
    return this.#told !== undefined && position.epoch === this.#told.epoch && position.offset < this.#told.offset;
  }

  /** A numbering that begins anew at one follows whatever was before: the engine tells where something was lost. */
  judge(position: Position): "next" | "told" | "hole" {
    if (this.#former.includes(position.epoch) || isUpTo(position, this.#told)) return "told";
    const { base } = this;
    if (!base) return "next";
    if (base.epoch !== position.epoch) return position.offset === 1 ? "next" : "hole";
    return position.offset <= base.offset + 1 ? "next" : "hole";
  }

  /** It is told now. Answers with those who have it already. */
  tell(position: Position): readonly Connection[] {
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

  /** What lies before this one is lost, and is not waited for any more. */
  skipTo(position: Position): void {
    this.#moveTo({ epoch: position.epoch, offset: position.offset - 1 });
  }

  #moveTo(position: Position): void {
    if (this.#told && this.#told.epoch !== position.epoch) {
      this.#former = [this.#told.epoch, ...this.#former].slice(0, FORMER);
    }
    this.#told = position;
  }
}

const FORMER = 8;
const NO_CONNECTIONS: readonly Connection[] = [];

export function isUpTo(position: Position | undefined, end: Position | undefined): boolean {
  return position !== undefined && end?.epoch === position.epoch && position.offset <= end.offset;
}
