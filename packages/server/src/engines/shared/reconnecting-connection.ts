/** Keeps one connection up: opens it, opens another whenever it ends, and knows since when there is none, and why. */

import { type BackoffRange, backoffMs } from "../../domain/backoff.ts";
import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { messageOf } from "../../domain/thrown.ts";
import { NotSentError } from "./pending.ts";

export interface ReconnectingConnectionOptions<C> {
  readonly clock: Clock;
  readonly backoff: BackoffRange;
  /** Opens a connection; calls `ended` when it is over. Rejects with a sentence for people. */
  open(ended: (why: string) => void): Promise<C>;
  /** Prepares a new connection before anything else may use it. If this fails, another is opened. */
  prepare(connection: C, isAgain: boolean): Promise<void>;
  /** The connection is up. */
  up?(): void;
  /** The connection that was up is lost. */
  down?(): void;
}

interface Closable {
  close(): unknown;
}

export class ReconnectingConnection<C extends Closable> {
  readonly #options: ReconnectingConnectionOptions<C>;
  readonly #waiting = new Set<(connection: C | undefined) => void>();
  #current: C | undefined;
  /** Open, and not ready to be used. */
  #preparing: C | undefined;
  #wasUp = false;
  #failures = 0;
  #why = "not connected yet";
  #downSinceMs: number;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: ReconnectingConnectionOptions<C>) {
    this.#options = options;
    this.#downSinceMs = options.clock.monotonicMs();
  }

  /** Resolves when it is up, or when the first attempt failed. */
  async start(): Promise<void> {
    await this.#attempt();
  }

  get current(): C | undefined {
    return this.#current;
  }

  get health(): EngineHealth {
    if (this.#current) return { reachable: true };
    const sinceMs = Math.round(this.#options.clock.monotonicMs() - this.#downSinceMs);
    return { reachable: false, why: this.#why, sinceMs };
  }

  /** The connection, as soon as there is one; rejects with NotSentError when there is none in time. */
  async waitUntilUp(withinMs: number): Promise<C> {
    if (this.#current) return this.#current;
    if (this.#isClosed || withinMs <= 0) throw new NotSentError(this.#why);
    const { promise, resolve } = Promise.withResolvers<C | undefined>();
    this.#waiting.add(resolve);
    const timer = setTimeout(resolve, withinMs, undefined);
    const connection = await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
    if (connection) return connection;
    throw new NotSentError(this.#why);
  }

  /** Gives up this connection if it is still in use, and opens another. */
  drop(connection: C, why: string): void {
    if (this.#current !== connection && this.#preparing !== connection) return;
    connection.close();
    this.#ended(connection, why);
  }

  /** Gives up whichever connection there is. */
  dropCurrent(why: string): void {
    const connection = this.#current ?? this.#preparing;
    if (connection) this.drop(connection, why);
  }

  /** Resolves when the connection is closed, where closing it takes time. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const connection = this.#current ?? this.#preparing;
    this.#current = undefined;
    this.#preparing = undefined;
    this.#why = "closed";
    for (const resolve of this.#waiting) resolve(undefined);
    await connection?.close();
  }

  async #attempt(): Promise<void> {
    let opened: C | undefined;
    let endedEarly: string | undefined;
    try {
      opened = await this.#options.open((why) => {
        if (opened) this.#ended(opened, why);
        else endedEarly = why;
      });
      if (this.#isClosed) return void opened.close();
      if (endedEarly !== undefined) throw new Error(endedEarly);
      this.#preparing = opened;
      await this.#options.prepare(opened, this.#wasUp);
      if (this.#isClosed || this.#preparing !== opened) return void opened.close();
      this.#ready(opened);
    } catch (error) {
      const why = messageOf(error);
      // It was dropped while it was prepared, and the next attempt is under way.
      if (opened && this.#preparing !== opened) return void opened.close();
      this.#preparing = undefined;
      opened?.close();
      this.#retryLater(why);
    }
  }

  #ready(connection: C): void {
    this.#preparing = undefined;
    this.#current = connection;
    this.#wasUp = true;
    this.#failures = 0;
    for (const resolve of this.#waiting) resolve(connection);
    this.#options.up?.();
  }

  #ended(connection: C, why: string): void {
    const wasUp = this.#current === connection;
    if (!wasUp && this.#preparing !== connection) return;
    this.#current = undefined;
    this.#preparing = undefined;
    if (wasUp) {
      this.#downSinceMs = this.#options.clock.monotonicMs();
      this.#options.down?.();
    }
    this.#retryLater(why);
  }

  #retryLater(why: string): void {
    if (this.#isClosed) return;
    this.#why = why;
    const pauseMs = backoffMs(this.#failures++, this.#options.backoff, Math.random());
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#attempt(), pauseMs);
  }
}
