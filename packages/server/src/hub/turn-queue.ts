/**
 * Fairness between connections. What one asks for beyond its share waits in a backlog of its own, and backlogs are served in
 * turn, for a slice of each turn of the event loop. While much waits, nothing more is read from the socket: the client is
 * slowed and refused nothing, and the others hardly notice.
 */

import type { Clock } from "../domain/ports.ts";
import type { Socket } from "../domain/transport.ts";
import { refilled } from "./token-bucket.ts";

/** Runs it in a later turn of the event loop, after so many milliseconds at the earliest. */
export type ScheduleTurn = (ms: number, run: () => void) => void;

/** So many frames of one connection are carried out at once, and so many more with each second. */
const SHARE = 256;
const SHARE_PER_S = 25_000;
/** For how many frames a millisecond of work counts. */
const FRAMES_PER_MS = 64;
/** However long something took, the share is whole again a moment later. */
const MAX_DEBT = 3 * SHARE;

/** A token bucket in fields of its owner: an object of its own took 230 bytes of each connection, among the garbage of handshakes. */
export interface ShareHolder {
  shareLeft: number;
  shareAtMs: number;
}

/** Counts one frame. */
export function countFrame(of: ShareHolder, nowMs: number): void {
  of.shareLeft = refilled(of.shareLeft, nowMs - of.shareAtMs, SHARE_PER_S, SHARE) - 1;
  of.shareAtMs = nowMs;
}

/** Counts the time that was worked since then as so many frames more; nothing is refilled meanwhile. */
export function countWork(of: ShareHolder, startMs: number, nowMs: number): void {
  of.shareLeft = Math.max(-MAX_DEBT, of.shareLeft - (nowMs - startMs) * FRAMES_PER_MS);
  of.shareAtMs = nowMs;
}

export function isOverShare({ shareLeft }: ShareHolder): boolean {
  return shareLeft < 0;
}

/** Most that backlogs together take of a turn, and one of them at a time. */
const TURN_MS = 4;
const SLICE_MS = 2;
/** With more than so many bytes waiting, nothing more is read from the socket. */
const PAUSE_BYTES = 64 * 1024;
/** What an item takes beside its own bytes. */
const ITEM_BYTES = 32;
/** Who has been behind for so long has a rest after each slice, and is cut in the end. */
const SLOWED_AFTER_MS = 5_000;
const SLICE_REST_MS = 12;
const CUT_AFTER_MS = 30_000;
/** It has caught up when nothing has had to wait for so long. */
const CALM_MS = 1_000;
/** What could not wait (the runtime answers pings itself) is paid for by a rest so many times as long. */
const REST_FACTOR = 9;
/** Where more than so many are behind at a time, the reason is not one of them, and each has so much longer. */
const FEW = 8;

export class TurnQueue {
  readonly #clock: Clock;
  readonly #later: ScheduleTurn;
  /** Those that have something to do, in the order of their turns. */
  readonly #line = new Set<PacedQueue<unknown>>();
  /** Those that were served and then had to wait for an answer. */
  #unanswered: PacedQueue<unknown>[] = [];
  #isDue = false;

  constructor(clock: Clock, later: ScheduleTurn) {
    this.#clock = clock;
    this.#later = later;
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** How much of the time that passes counts against each of those who are behind. */
  get blame(): number {
    return Math.min(1, FEW / this.#line.size);
  }

  enter(backlog: PacedQueue<unknown>): void {
    this.#line.add(backlog);
    this.#call(0);
  }

  /** It goes on outside the line: in the next turn it is looked whether it waits for an answer. */
  follow(backlog: PacedQueue<unknown>): void {
    this.#unanswered.push(backlog);
    this.#call(0);
  }

  leave(backlog: PacedQueue<unknown>): void {
    this.#line.delete(backlog);
  }

  #call(ms: number): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#later(ms, () => this.#turn());
  }

  #turn(): void {
    this.#isDue = false;
    for (const backlog of this.#unanswered) backlog.waitForReply();
    this.#unanswered = [];
    const startMs = this.nowMs;
    let isResting = true;
    // One socket a turn: what has piled up in it comes at once.
    let mayResume = true;
    let left = this.#line.size;
    for (const backlog of this.#line) {
      if (left-- === 0) break;
      const nowMs = this.nowMs;
      if (nowMs - startMs >= TURN_MS) {
        isResting = false;
        break;
      }
      if (backlog.restsUntilMs > nowMs || (backlog.size === 0 && !mayResume)) continue;
      isResting = false;
      if (backlog.size === 0) mayResume = false;
      this.#line.delete(backlog);
      if (backlog.serve(nowMs + SLICE_MS)) this.#unanswered.push(backlog);
    }
    if (this.#line.size > 0 || this.#unanswered.length > 0) this.#call(isResting ? SLICE_REST_MS / 2 : 0);
  }
}

/** Whose turns they are. */
export interface QueueOwner<T> {
  readonly socket: Pick<Socket, "cork" | "pause" | "resume"> | undefined;
  readonly isClosed: boolean;
  /** An earlier one is not done yet; `drain` is called when it is. */
  readonly isBusy: boolean;
  process(item: T): void;
  /** Nothing waits any more. `wasPaused`: so much waited that the socket was not read for a while. */
  onEmpty(wasPaused: boolean): void;
  /** It does not catch up. */
  onTooFarBehind(seconds: number): void;
}

/** What waits for its turn, of one connection. */
export class PacedQueue<T> {
  readonly #owner: QueueOwner<T>;
  readonly #pacer: TurnQueue;
  #items: T[] = [];
  #next = 0;
  #bytes = 0;
  /** Until then it may go on in this turn. */
  #untilMs = 0;
  #isPaused = false;
  #pausedAtMs = 0;
  #resumedAtMs = Number.NEGATIVE_INFINITY;
  #behindMs = 0;
  /** Since when time counts against it; undefined while it waits for the engine or the program. */
  #sinceMs: number | undefined;
  restsUntilMs = 0;

  constructor(pacer: TurnQueue, owner: QueueOwner<T>) {
    this.#pacer = pacer;
    this.#owner = owner;
  }

  get size(): number {
    return this.#items.length - this.#next;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether whatever comes has to come after something. */
  get hasPending(): boolean {
    return this.size > 0 || this.#isPaused;
  }

  add(item: T, bytes: number): void {
    this.#items.push(item);
    this.#bytes += bytes + ITEM_BYTES;
    if (this.#isPaused) return;
    if (this.#bytes > PAUSE_BYTES) this.#pause(this.#pacer.nowMs);
    if (this.size === 1 || this.#isPaused) this.#enter();
  }

  /** Work was done that could not wait, and ends now: it has a rest for it. */
  rest(nowMs: number): void {
    if (!this.#isPaused) this.#pause(nowMs);
    this.restsUntilMs = nowMs + (nowMs - this.#pausedAtMs) * REST_FACTOR;
    this.#enter();
  }

  /** Its turn has come. True where it has to wait for an answer. */
  serve(untilMs: number): boolean {
    if (this.#owner.isClosed) return false;
    this.#untilMs = untilMs;
    if (this.size === 0) this.#resume();
    else if (this.#owner.socket) this.#owner.socket.cork(() => this.drain());
    else this.drain();
    return this.#owner.isBusy;
  }

  /** Carries out one after the other, as long as it may. */
  drain(): void {
    if (this.#sinceMs === undefined) this.#begin();
    while (!this.#owner.isBusy && !this.#owner.isClosed) {
      if (this.size === 0) return this.#empty();
      const nowMs = this.#pacer.nowMs;
      if (nowMs > this.#untilMs) return this.#giveWay(nowMs);
      this.#owner.process(this.#take());
    }
  }

  /** For an answer of the engine or the program: that time counts against no connection. */
  waitForReply(): void {
    if (!this.#owner.isBusy || this.#owner.isClosed) return;
    this.#count(this.#pacer.nowMs);
    this.#sinceMs = undefined;
  }

  /** The connection is gone. */
  close(): void {
    this.#pacer.leave(this);
    this.#items = [];
    this.#next = 0;
    if (this.#isPaused) this.#owner.socket?.resume();
    this.#isPaused = false;
  }

  /** An answer came, so that the event loop has turned: a slice at once holds up no other connection. */
  #begin(): void {
    if (this.size === 0 || this.#owner.isClosed) return;
    this.#sinceMs = this.#pacer.nowMs;
    this.#untilMs = this.#sinceMs + SLICE_MS;
    this.#pacer.follow(this);
  }

  #enter(): void {
    if (this.#owner.isBusy) return;
    this.#sinceMs ??= this.#pacer.nowMs;
    this.#pacer.enter(this);
  }

  #take(): T {
    const item = this.#items[this.#next++] as T;
    if (this.#next === this.#items.length) {
      this.#items = [];
      this.#next = 0;
      this.#bytes = 0;
    }
    return item;
  }

  #giveWay(nowMs: number): void {
    this.#count(nowMs);
    if (this.#owner.isClosed) return;
    if (this.#behindMs > SLOWED_AFTER_MS) this.restsUntilMs = nowMs + SLICE_REST_MS;
    this.#enter();
  }

  #empty(): void {
    // What was not read meanwhile is, when its turn comes.
    if (this.#isPaused) return this.#enter();
    this.#sinceMs = undefined;
    this.#behindMs = 0;
    this.#owner.onEmpty(this.#resumedAtMs !== Number.NEGATIVE_INFINITY);
  }

  #count(nowMs: number): void {
    if (this.#sinceMs === undefined) return;
    this.#behindMs += (nowMs - this.#sinceMs) * this.#pacer.blame;
    this.#sinceMs = nowMs;
    if (this.#behindMs > CUT_AFTER_MS) this.#owner.onTooFarBehind(CUT_AFTER_MS / 1000);
  }

  #pause(nowMs: number): void {
    if (nowMs - this.#resumedAtMs > CALM_MS) this.#behindMs = 0;
    this.#isPaused = true;
    this.#pausedAtMs = nowMs;
    this.#owner.socket?.pause();
  }

  #resume(): void {
    const nowMs = this.#pacer.nowMs;
    this.#count(nowMs);
    if (this.#owner.isClosed) return;
    this.#sinceMs = undefined;
    this.#isPaused = false;
    this.#resumedAtMs = nowMs;
    this.#owner.socket?.resume();
    this.#owner.onEmpty(this.#resumedAtMs !== Number.NEGATIVE_INFINITY);
  }
}
