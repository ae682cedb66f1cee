/**
 * Lets one write carry several messages. Bun joins what is published to a topic in one turn of the event loop; under load most turns
 * publish one message, and each costs a system call for each reader, four fifths of all its cost. A topic that was written to in the
 * current window collects what follows until the window ends, but only where the window has seen so many writes that holding pays, or
 * the one just before it has held as many: so that a lone message, and a server with little to do, never waits.
 */

import type { Clock } from "../../domain/ports.ts";
import type { Fanout, Socket, TopicWriter } from "../../domain/transport.ts";

/** Some 150 µs of system calls. Where a window has seen fewer, and the one before it has put off fewer, nothing is held. */
const BUSY_WRITES = 32;
/** Bun writes a socket's messages out when there are so many: more would not save a write. */
const MAX_FRAMES = 32;
/** In UTF-16 units, for one topic: larger writes save nothing worth waiting for. */
const MAX_LENGTH = 16_384;
/** Where messages keep coming, the next one ends the wait after this share of the longest: eight of 20,000 a second, one after 0.2 ms. */
const USUAL_SHARE = 0.4;
/** Looking for one socket in more topics than that costs more than writing them all. */
const MAX_LOOKUPS = 16;

interface HeldTopic {
  readonly frames: string[];
  readonly sinceMs: number;
  length: number;
  readers: number;
}

export class HeldWrites implements Fanout {
  #holdMs: number;
  readonly #listeners: TopicWriter;
  readonly #clock: Pick<Clock, "monotonicMs">;
  #windowEndsAtMs = Number.NEGATIVE_INFINITY;
  /** Writes to sockets in this window. */
  #writes = 0;
  /** Those that were put off in it. Where they are many, the next window holds from its beginning: with one reader 32 writes in each were most of what was above the floor. */
  #postponed = 0;
  /** Which window it is, for what was scheduled in it. */
  #window = 0;
  #isHolding = false;
  /** The topics that were written to in this window. */
  readonly #written = new Set<string>();
  #held = new Map<string, HeldTopic>();

  constructor(listeners: TopicWriter, clock: Pick<Clock, "monotonicMs">, holdMs: number) {
    this.#listeners = listeners;
    this.#clock = clock;
    this.#holdMs = holdMs;
  }

  /** How long a window is, and so the longest that anything waits, give or take the timer; 0 holds nothing. */
  set holdMs(ms: number) {
    this.#holdMs = ms;
    this.#postponed = 0;
    this.#startWindow(this.#clock.monotonicMs());
  }

  isScattered(topic: string): boolean {
    return this.#listeners.isScattered?.(topic) ?? false;
  }

  publish(topic: string, frame: string, readers: number): void {
    if (this.#holdMs === 0) return void this.#listeners.publish(topic, frame);
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#windowEndsAtMs) {
      this.#startWindow(nowMs);
      // What that wrote and this share a write.
      this.#write(topic, frame, readers);
    } else if (this.#isHolding && this.#written.has(topic)) this.#hold(topic, frame, readers, nowMs);
    else this.#write(topic, frame, readers);
  }

  flush(topic: string): void {
    if (this.#held.size > 0) this.#flush(topic);
  }

  flushFor(socket: Socket): void {
    if (this.#held.size === 0) return;
    if (this.#held.size > MAX_LOOKUPS) return this.#flushAll();
    for (const topic of this.#held.keys()) if (socket.isSubscribed(topic)) this.#flush(topic);
  }

  #startWindow(nowMs: number): void {
    const isBusy = this.#postponed >= BUSY_WRITES && nowMs < this.#windowEndsAtMs + this.#holdMs;
    this.#window++;
    this.#windowEndsAtMs = nowMs + this.#holdMs;
    this.#writes = 0;
    this.#postponed = 0;
    this.#isHolding = isBusy;
    this.#written.clear();
    if (this.#held.size > 0) this.#flushAll();
    if (isBusy) this.#endWindowInTime();
  }

  #write(topic: string, frame: string, readers: number): void {
    this.#listeners.publish(topic, frame);
    this.#written.add(topic);
    this.#countWrites(readers);
  }

  /** Holds from the next turn on: what this one still publishes, Bun joins to what it has published. */
  #countWrites(readers: number): void {
    const before = this.#writes;
    this.#writes += readers;
    if (this.#isHolding || before >= BUSY_WRITES || this.#writes < BUSY_WRITES) return;
    const window = this.#window;
    setImmediate(() => {
      if (window === this.#window) this.#isHolding = true;
    });
    this.#endWindowInTime();
  }

  /** Where nobody publishes any more. */
  #endWindowInTime(): void {
    const window = this.#window;
    setTimeout(() => {
      if (window === this.#window) this.#startWindow(this.#clock.monotonicMs());
    }, this.#holdMs);
  }

  #hold(topic: string, frame: string, readers: number, nowMs: number): void {
    let held = this.#held.get(topic);
    if (!held) {
      held = { frames: [], length: 0, readers, sinceMs: nowMs };
      this.#held.set(topic, held);
    }
    this.#postponed += readers;
    held.frames.push(frame);
    held.length += frame.length;
    const isLate = nowMs - held.sinceMs >= this.#holdMs * USUAL_SHARE;
    if (isLate || held.frames.length >= MAX_FRAMES || held.length >= MAX_LENGTH) this.#flush(topic);
  }

  #flush(topic: string): void {
    const held = this.#held.get(topic);
    if (!held) return;
    this.#held.delete(topic);
    for (const frame of held.frames) this.#listeners.publish(topic, frame);
  }

  /** What is written now counts in the window that begins, where that is why. */
  #flushAll(): void {
    const all = this.#held;
    this.#held = new Map();
    for (const [topic, { frames, readers }] of all) {
      for (const frame of frames) this.#listeners.publish(topic, frame);
      this.#written.add(topic);
      this.#countWrites(readers);
    }
  }
}
