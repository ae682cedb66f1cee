/** Keeps one wire up: opens it, opens it again whenever it ends, and knows since when there is none, and why. */

import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { NotSentError } from "./errors.ts";

export interface ReconnectingConnectionOptions<W> {
  readonly clock: Clock;
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
  /** Opens the wire; tells by `ended` when it is over. Rejects with a sentence for people. */
  open(ended: (why: string) => void): Promise<W>;
  /** It is there: what has to be done on it before anybody else may use it. Where that fails, it is opened again. */
  prepare(wire: W, isAgain: boolean): Promise<void>;
  down(): void;
}

interface Closable {
  close(): void;
}

export class ReconnectingConnection<W extends Closable> {
  readonly #options: ReconnectingConnectionOptions<W>;
  readonly #waiters = new Set<(current: W | undefined) => void>();
  #wire: W | undefined;
  /** On its way up, and not for use. */
  #greeted: W | undefined;
  #wasUp = false;
  #failures = 0;
  #why = "not connected yet";
  #sinceMs: number;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: ReconnectingConnectionOptions<W>) {
    this.#options = options;
    this.#sinceMs = options.clock.wallMs();
  }

  /** Resolves when it is up, or when the first attempt failed. */
  async start(): Promise<void> {
    await this.#attempt();
  }

  get wire(): W | undefined {
    return this.#wire;
  }

  get health(): EngineHealth {
    return this.#wire ? { reachable: true } : { reachable: false, why: this.#why, sinceMs: this.#sinceMs };
  }

  /** The wire, as soon as there is one; rejects with Unsent when there is none in time. */
  async waitUntilUp(withinMs: number): Promise<W> {
    if (this.#wire) return this.#wire;
    if (this.#closed) throw new NotSentError("closed");
    const { promise, resolve } = Promise.withResolvers<W | undefined>();
    this.#waiters.add(resolve);
    const timer = setTimeout(resolve, withinMs, undefined);
    const wire = await promise;
    clearTimeout(timer);
    this.#waiters.delete(resolve);
    if (wire) return wire;
    throw new NotSentError(this.#why);
  }

  /** Gives up a wire that does not do what it should; another is opened. */
  drop(wire: W, why: string): void {
    if (this.#wire !== wire && this.#greeted !== wire) return;
    wire.close();
    this.#ended(wire, why);
  }

  /** The same for whatever wire there is. */
  dropCurrent(why: string): void {
    const wire = this.#wire ?? this.#greeted;
    if (wire) this.drop(wire, why);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    const wire = this.#wire ?? this.#greeted;
    this.#wire = undefined;
    this.#greeted = undefined;
    this.#why = "closed";
    wire?.close();
    for (const resolve of this.#waiters) resolve(undefined);
  }

  async #attempt(): Promise<void> {
    let opened: W | undefined;
    let early: string | undefined;
    try {
      opened = await this.#options.open((why) => {
        if (opened) this.#ended(opened, why);
        else early = why;
      });
      if (this.#closed) return opened.close();
      if (early !== undefined) throw new Error(early);
      this.#greeted = opened;
      await this.#options.prepare(opened, this.#wasUp);
      if (this.#closed || this.#greeted !== opened) return opened.close();
      this.#ready(opened);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (opened && this.#greeted !== opened) return opened.close();
      this.#greeted = undefined;
      opened?.close();
      this.#again(why);
    }
  }

  #ready(wire: W): void {
    this.#greeted = undefined;
    this.#wire = wire;
    this.#wasUp = true;
    this.#failures = 0;
    for (const resolve of this.#waiters) resolve(wire);
  }

  #ended(wire: W, why: string): void {
    const wasUp = this.#wire === wire;
    if (!wasUp && this.#greeted !== wire) return;
    this.#wire = undefined;
    this.#greeted = undefined;
    if (wasUp) {
      this.#sinceMs = this.#options.clock.wallMs();
      this.#options.down();
    }
    this.#again(why);
  }

  #again(why: string): void {
    if (this.#closed) return;
    this.#why = why;
    const { minPauseMs, maxPauseMs } = this.#options;
    const pauseMs = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(this.#failures++, 20));
    clearTimeout(this.#retry);
    // Less a random part, so that the nodes of a cluster do not come back all at once.
    this.#retry = setTimeout(() => void this.#attempt(), pauseMs * (0.5 + Math.random() / 2));
  }
}
