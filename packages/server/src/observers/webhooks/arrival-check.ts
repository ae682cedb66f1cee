/**
 * Arrivals that were sent because no departure was held back for them to cancel. In a cluster the node that sends the departure may be
 * the later of the two to write; it would then be the last word on somebody who is there. So a going that lies there by
 * then is compared with who is there.
 */

import type { App } from "../../domain/app.ts";
import type { Awaitable, Clock } from "../../domain/ports.ts";
import type { WebhookEvent } from "./notification.ts";
import type { Cancellation, WebhookQueue } from "./webhook-queue.ts";

export interface ArrivalCheckOptions {
  readonly queue: WebhookQueue;
  readonly clock: Clock;
  /** How long after it was written each is checked: before a departure that was written meanwhile is due. */
  readonly afterMs: number;
  /** Whether the user is in the channel, or, where the event names none, anybody. */
  readonly isPresent: (app: App, event: WebhookEvent) => Awaitable<boolean>;
  readonly failed: (error: unknown, during: string) => void;
}

export interface WrittenArrival {
  readonly app: App;
  readonly event: WebhookEvent;
  readonly target: string;
  readonly cancelKey: string;
}

/** Most that are remembered; of more, the oldest are not looked at again. */
const MOST = 10_000;
/** That are asked for in one question. */
const PAGE = 100;

export class ArrivalCheck {
  readonly #options: ArrivalCheckOptions;
  /** The oldest first. */
  #waiting: { readonly arrival: WrittenArrival; readonly dueMs: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: ArrivalCheckOptions) {
    this.#options = options;
  }

  add(all: readonly WrittenArrival[]): void {
    const { clock, afterMs } = this.#options;
    if (afterMs <= 0 || this.#isClosed) return;
    const dueMs = clock.monotonicMs() + afterMs;
    for (const arrival of all) this.#waiting.push({ arrival, dueMs });
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
    this.#timer = setTimeout(() => void this.#check(), waitMs);
    this.#timer.unref();
  }

  async #check(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const due = this.#waiting.slice(0, PAGE).filter(({ dueMs }) => dueMs <= nowMs);
    this.#waiting = this.#waiting.slice(due.length);
    try {
      await this.#compare(due.map(({ arrival }) => arrival));
    } catch (error) {
      if (!this.#isClosed) this.#options.failed(error, "comparing webhooks with who is there");
    }
    this.#timer = undefined;
    this.#schedule();
  }

  async #compare(all: readonly WrittenArrival[]): Promise<void> {
    const { queue, clock, isPresent } = this.#options;
    const known = new Map(all.map((arrival) => [cancellationOf(arrival), arrival]));
    for (const departure of await queue.findHeld([...known.keys()], clock.wallMs())) {
      const arrival = known.get(departure);
      if (arrival && (await isPresent(arrival.app, arrival.event)))
        await queue.cancelDeparture(departure, clock.wallMs());
    }
  }
}

function cancellationOf({ app, target, cancelKey }: WrittenArrival): Cancellation {
  return { app: app.id, target, cancelKey };
}
