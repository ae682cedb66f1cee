/**
 * How far the numbered publications of one channel are delivered on this node: what comes next, what was delivered already,
 * what is missing before it, and which connections are ahead because they got more from history.
 */

import type { Connection } from "../domain/connection.ts";
import type { EventPublication, Position, Publication, Push } from "../domain/message.ts";
import { markSeen, type SeenNumbers } from "../domain/message-id.ts";
import type { HistoryPage } from "../domain/ports.ts";

/** Publications that wait until those before them are found. */
export interface Hold {
  readonly waiting: Publication[];
  /** About how much they are. */
  bytes: number;
  readonly sinceMs: number;
  /** Something may have been lost after the reading began. */
  needsReread: boolean;
  /** How many of those that wait came before something may have been lost. */
  beforeInterruption: number;
}

/** Who receives the channel: a connection, or the program itself, which has no socket. */
export type SequenceReader = Connection | ChannelReader;

interface Ahead {
  readonly upTo: Position;
  /** The epoch that was being delivered when the client got a later one from history. */
  readonly before: string | undefined;
}

export class Sequence {
  hold: Hold | undefined;
  /** The last one that was delivered here. */
  #delivered: Position | undefined;
  /** How far other epochs were delivered, the last one last: the engine may come back to one of them. */
  readonly #former = new Map<string, number>();
  /** Whether some of them are forgotten. */
  #hasForgotten = false;
  /** The epochs whose numbers the present one goes on with, as far as they are known here. */
  #earlier: readonly Position[] = [];
  /** Where the first subscriber stands, while nothing is delivered. Those who came before there were numbers may still get more. */
  #start: Position | undefined;
  /** Connections that got more from history than was delivered, and up to where: none receives an event twice. */
  readonly #ahead = new Map<SequenceReader, Ahead>();
  /** What was delivered, by its senders' numbers: they stay where its position is lost and it is sent again. */
  readonly #seen = new Map<string, SeenNumbers>();
  /** Whether there are new subscribers, who may lack what was delivered in other epochs. */
  hasNewcomers = false;

  /** What is known not to be missing: the next one is the one after it. */
  get base(): Position | undefined {
    return this.#delivered ?? this.#start;
  }

  /** The connection has everything up to there; `isAlone` where it is the only subscriber. */
  addReader(reader: SequenceReader, end: Position, isAlone: boolean): void {
    const upTo = this.#inPresent(end);
    this.hasNewcomers = true;
    if (isAlone && !this.#delivered) this.#delivered = upTo;
    if (!this.#delivered && (!this.#start || isUpTo(upTo, this.#start))) this.#start = upTo;
    if (isUpTo(upTo, this.#delivered)) return;
    // An epoch that was delivered before need not be a later one: the page may be old.
    const before = this.#former.has(upTo.epoch) ? undefined : this.base?.epoch;
    this.#ahead.set(reader, { upTo, before });
  }

  removeReader(reader: SequenceReader): void {
    this.#ahead.delete(reader);
  }

  /** Whether more is delivered than up to there: a subscriber that stands there would miss something. */
  isPast(place: Position): boolean {
    const position = this.#inPresent(place);
    return (
      this.#delivered !== undefined &&
      position.epoch === this.#delivered.epoch &&
      position.offset < this.#delivered.offset
    );
  }

  /** Whether anything of the epoch was delivered. */
  knows(epoch: string): boolean {
    return this.base?.epoch === epoch || this.#former.has(epoch);
  }

  /** A numbering that begins anew at one follows whatever was before: the engine reports where something was lost. */
  judge(position: Position): "next" | "delivered" | "hole" {
    if (isUpTo(position, this.#delivered)) return "delivered";
    const { base } = this;
    if (!base) return "next";
    if (base.epoch === position.epoch) return position.offset <= base.offset + 1 ? "next" : "hole";
    const former = this.#former.get(position.epoch);
    // What comes after it is late, or the engine is back in that epoch: history says which.
    if (former !== undefined) return position.offset <= former ? "delivered" : "hole";
    return position.offset === 1 ? "next" : "hole";
  }

  /** It is delivered now. Returns the connections that have it already. */
  advance(position: Position): readonly SequenceReader[] {
    this.#moveTo(position);
    if (this.#ahead.size === 0) return NO_READERS;
    const having: SequenceReader[] = [];
    for (const [reader, { upTo, before }] of this.#ahead) {
      const isOlder = position.epoch === before && position.epoch !== upTo.epoch;
      const isOld = isOlder || isUpTo(position, upTo);
      if (isOld) having.push(reader);
      if (!isOld || (!isOlder && position.offset === upTo.offset)) this.#ahead.delete(reader);
    }
    return having;
  }

  /** Whether it was not delivered before, under another position. */
  isFirst({ messageId: mark }: EventPublication): boolean {
    return !mark || markSeen(this.#seen, mark);
  }

  /** What lies before this one is lost, and is not waited for any more. */
  skipTo(position: Position): void {
    this.#moveTo({ epoch: position.epoch, offset: position.offset - 1 });
  }

  /**
   * The engine is in another epoch: goes on in it, behind all that was delivered, be it under that epoch's name or under one
   * whose numbers it goes on with. What cannot be told apart from what was delivered is skipped.
   */
  continueIn({ position, earlierEpochs: earlier = [] }: HistoryPage): void {
    const known = [position, ...earlier].find(({ epoch }) => epoch === "" || this.knows(epoch));
    const unknown = this.#hasForgotten ? position.offset : 0;
    const offset = known ? Math.min(known.offset, this.#deliveredOf(known.epoch)) : unknown;
    this.#moveTo({ epoch: position.epoch, offset });
    this.#earlier = earlier;
    for (const [reader, { upTo }] of this.#ahead) {
      this.#ahead.set(reader, { upTo: this.#inPresent(upTo), before: undefined });
    }
  }

  /** Connections that got another epoch from history than the one that is being delivered. */
  get inOtherEpochs(): readonly SequenceReader[] {
    return [...this.#ahead].flatMap(([reader, { upTo }]) => (upTo.epoch === this.base?.epoch ? [] : reader));
  }

  /** The same place by the name of the present epoch, where that goes on with the numbers of the other. */
  #inPresent(place: Position): Position {
    const end = this.#earlier.find(({ epoch }) => epoch === place.epoch)?.offset;
    if (end === undefined || !this.#delivered) return place;
    return { epoch: this.#delivered.epoch, offset: Math.min(place.offset, end) };
  }

  #deliveredOf(epoch: string): number {
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
      if (this.#former.size > MAX_FORMER && oldest !== undefined) {
        this.#former.delete(oldest);
        this.#hasForgotten = true;
      }
    }
    this.#former.delete(position.epoch);
    this.#delivered = position;
  }

  /** Where a connection got more of the epoch than was delivered, that is not delivered when the engine is back there. */
  #farthestIn({ epoch, offset }: Position): number {
    let farthest = offset;
    for (const { upTo } of this.#ahead.values()) {
      if (upTo.epoch === epoch) farthest = Math.max(farthest, upTo.offset);
    }
    return farthest;
  }
}

const MAX_FORMER = 16;
const NO_READERS: readonly SequenceReader[] = [];

export function isUpTo(position: Position | undefined, end: Position | undefined): boolean {
  return position !== undefined && end?.epoch === position.epoch && position.offset <= end.offset;
}

// ---- what the program itself receives a channel by

/** Neither may throw. */
export interface ChannelListener {
  event(publication: EventPublication): void;
  /** Something may be lost between the event before and the next. */
  gap(): void;
}

export class ChannelReader {
  /** It is no client. */
  readonly socket = undefined;
  readonly #listener: ChannelListener;

  constructor(listener: ChannelListener) {
    this.#listener = listener;
  }

  receive(push: Push): void {
    if (push.type === "event") this.#listener.event(push);
    else if (push.type === "gap") this.#listener.gap();
  }
}
