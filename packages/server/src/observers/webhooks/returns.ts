/**
 * Returns that were told because no going was held back that they undo. In a cluster the node that tells the going may be
 * the later of the two to write; it would then be the last word on somebody who is there. So a going that lies there by
 * then is compared with who is there.
 */

import type { App } from "../../domain/app.ts";
import type { Awaitable, Clock } from "../../domain/ports.ts";
import type { WebhookEvent } from "./facts.ts";
import type { Outbox, Return } from "./outbox.ts";

export interface ReturnsOptions {
  readonly outbox: Outbox;
  readonly clock: Clock;
  /** How long after it was told each is looked at: before a going that was written meanwhile has its turn. */
  readonly afterMs: number;
  /** Whether the user is in the channel, or, where the event names none, anybody. */
  readonly isHere: (app: App, event: WebhookEvent) => Awaitable<boolean>;
  readonly failed: (error: unknown, during: string) => void;
}

export interface Told {
  readonly app: App;
  readonly event: WebhookEvent;
  readonly target: string;
  readonly undo: string;
}

/** Most that are remembered; of more, the oldest are not looked at again. */
const MOST = 10_000;
/** That are asked for in one question. */
const PAGE = 100;

export class Returns {
  readonly #options: ReturnsOptions;
  /** The oldest first. */
  #waiting: { readonly told: Told; readonly dueMs: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: ReturnsOptions) {
    this.#options = options;
  }

  add(all: readonly Told[]): void {
    const { clock, afterMs } = this.#options;
    if (afterMs <= 0 || this.#isClosed) return;
    const dueMs = clock.monotonicMs() + afterMs;
    for (const told of all) this.#waiting.push({ told, dueMs });
    if (this.#waiting.length > MOST) this.#waiting = this.#waiting.slice(-MOST);
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #schedule(): void {
    const [first] = this.#waiting;
    if (!first || this.#timer || this.#isClosed) return;
    const waitMs = Math.max(0, first.dueMs - this.#options.clock.monotonicMs());
    this.#timer = setTimeout(() => void this.#look(), waitMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const due = this.#waiting.slice(0, PAGE).filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.slice(due.length);
    try {
      await this.#compare(due.map(({ told }) => told));
    } catch (error) {
      if (!this.#isClosed) this.#options.failed(error, "comparing webhooks with who is there");
    }
    this.#timer = undefined;
    this.#schedule();
  }

  async #compare(all: readonly Told[]): Promise<void> {
    const { outbox, clock, isHere } = this.#options;
    const known = new Map(all.map((told) => [returnOf(told), told]));
    for (const goings of await outbox.heldBack([...known.keys()], clock.wallMs())) {
      const told = known.get(goings);
      if (told && (await isHere(told.app, told.event))) await outbox.takeBack(goings, clock.wallMs());
    }
  }
}

function returnOf({ app, target, undo }: Told): Return {
  return { app: app.id, target, undo };
}
