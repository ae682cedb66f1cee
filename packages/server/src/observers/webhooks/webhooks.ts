/**
 * Notifies receivers of what happens. What is observed in one step is written to the queue together, right after it: no message
 * waits for a database, and from then on nothing is lost, whoever dies. A database over a network takes its time to say so.
 */

import type { App } from "../../domain/app.ts";
import { backoffMs } from "../../domain/backoff.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Awaitable, Clock, Observer } from "../../domain/ports.ts";
import { ArrivalCheck, type WrittenArrival } from "./arrival-check.ts";
import type { Delivery } from "./delivery.ts";
import {
  DISCONNECT_TARGET,
  disconnectOf,
  type Notification,
  notificationOf,
  type WebhookEvent,
  wants,
} from "./notification.ts";
import type { WebhookMessage, WebhookQueue } from "./webhook-queue.ts";

export interface WebhooksOptions {
  readonly queue: WebhookQueue;
  readonly delivery: Delivery;
  readonly clock: Clock;
  /** How long a departure is held back in case an arrival cancels it, in milliseconds. */
  readonly leaveDelayMs: number;
  /** Whether the event's user is in its channel, or, where it names none, anybody. */
  readonly isPresent: (app: App, event: WebhookEvent) => Awaitable<boolean>;
  /** Whether another node sends its clients to this one, and may be late to write that they left. */
  readonly isAnotherNodeDraining?: () => Awaitable<boolean>;
  readonly failed: (error: unknown, during: string) => void;
}

/** Most notifications that wait while the database is away; beyond it the oldest are given up, and that is said. */
const MOST_WAITING = 10_000;
/** They are given up in bunches: each time, all the others are moved. */
const SLACK = 1_000;
/** How soon a write comes again: soon at first, where only another process held the file. A departure must not be written after the arrival that follows it. */
const RETRY_BACKOFF = { minMs: 10, maxMs: 500 };
/** The longest time that arrivals wait for departures that another node has yet to write. */
const LONGEST_WAIT_MS = 500;
/** The part of the time that a departure is held back. */
const WAIT_SHARE = 6;
/** A cache channel without an event is reported at most this often, however many subscribe. */
const MISS_EVERY_MS = 10_000;
/** How long the last of them may take to be sent. */
const LAST_MS = 4_000;
/** When in the time that a going is held back it is compared with who is there. */
const COMPARED_AFTER = 2 / 3;

export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #arrivalCheck: ArrivalCheck;
  #pending: Notification[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  #failures = 0;
  #isAway = false;
  #closed = false;
  readonly #missedAtMs = new Map<string, number>();

  constructor(options: WebhooksOptions) {
    this.#options = options;
    this.#arrivalCheck = new ArrivalCheck({ ...options, afterMs: options.leaveDelayMs * COMPARED_AFTER });
  }

  readonly observe: Observer = (happened: HubEvent) => {
    if (happened.type === "closed") {
      if (!happened.connection.app.hooks?.disconnect) return;
      const { clock } = this.#options;
      return this.#add(disconnectOf(happened, { wall: clock.wallMs(), monotonic: clock.monotonicMs() }));
    }
    if (!("app" in happened) || !happened.app.webhooks?.length) return;
    if (happened.type === "missed" && !this.#isNews(happened.app.id, happened.channel)) return;
    this.#add(notificationOf(happened));
  };

  /** Resolves when the queue has what was observed. Never rejects. */
  get written(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }

  /**
   * Writes what is observed already. What cannot be written is lost, and that is said. Where `sendsRest`, nobody else sends what
   * is written, so it is sent now, for `LAST_MS` at most, what is held back as well.
   */
  async close(sendsRest = false): Promise<void> {
    this.#closed = true;
    this.#arrivalCheck.close();
    await this.#writing;
    const { queue, delivery, clock, failed } = this.#options;
    if (sendsRest) {
      try {
        await queue.releaseDepartures(clock.wallMs());
        await delivery.flush(LAST_MS);
      } catch (error) {
        failed(error, "sending the last webhooks");
      }
    }
    await delivery.close();
  }

  #add(notification: Notification | undefined): void {
    if (!notification || this.#closed) return;
    this.#pending.push(notification);
    if (this.#pending.length > MOST_WAITING + SLACK) this.#keep(this.#pending);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // Whatever else happens in this step of the program's is written with it; SQLite has it before the program takes another.
    await undefined;
    while (this.#pending.length > 0) {
      if (!this.#closed && (await this.#options.isAnotherNodeDraining?.())) await this.#wait();
      const notifications = this.#pending;
      this.#pending = [];
      try {
        await this.#put(notifications);
        this.#recovered();
      } catch (error) {
        this.#keep([...notifications, ...this.#pending]);
        if (!this.#isAway) this.#options.failed(error, "writing webhooks to the database");
        this.#isAway = true;
        if (this.#closed) {
          this.#lost += this.#pending.length;
          this.#pending = [];
          this.#recovered();
          break;
        }
        await pause(backoffMs(this.#failures++, RETRY_BACKOFF, Math.random()));
      }
    }
    // In the very step in which nothing was left: a notification that comes in the next one is written by another call.
    this.#writing = undefined;
  }

  /** All of them, so that they stay in order. */
  #wait(): Promise<void> {
    return pause(Math.min(LONGEST_WAIT_MS, this.#options.leaveDelayMs / WAIT_SHARE));
  }

  /** The newest of them, as many as may wait. */
  #keep(notifications: Notification[]): void {
    const over = Math.max(0, notifications.length - MOST_WAITING);
    this.#lost += over;
    this.#pending = over > 0 ? notifications.slice(over) : notifications;
  }

  async #put(notifications: readonly Notification[]): Promise<void> {
    const { queue, delivery, clock } = this.#options;
    const inserted = await queue.transaction((inside) => this.#insert(inside, notifications, clock.wallMs()));
    if (inserted.messages > 0) delivery.wake();
    this.#arrivalCheck.add(inserted.arrivals);
  }

  /** How many messages there are to send, and the arrivals among them. */
  async #insert(queue: WebhookQueue, notifications: readonly Notification[], nowMs: number) {
    const messages: WebhookMessage[] = [];
    const arrivals: WrittenArrival[] = [];
    for (const notification of notifications) {
      for (const target of targetsOf(notification)) {
        const message = this.#messageTo(target, notification);
        if (!notification.isArrival || notification.cancelKey === undefined) {
          messages.push(message);
          continue;
        }
        const { cancelKey } = notification;
        const app = notification.app.id;
        const held = messages.findLastIndex(
          (one) => one.target === target && one.app === app && one.cancelKey === cancelKey,
        );
        if (held >= 0) messages.splice(held, 1);
        else if (!(await queue.cancelDeparture({ app, target, cancelKey }, nowMs))) {
          messages.push(message);
          if ("name" in notification.event)
            arrivals.push({ app: notification.app, event: notification.event, target, cancelKey });
        }
      }
    }
    if (messages.length > 0) await queue.write(messages, nowMs);
    return { messages: messages.length, arrivals };
  }

  #messageTo(target: string, { app, event, cancelKey, isArrival }: Notification): WebhookMessage {
    const text = "name" in event ? JSON.stringify(event) : event.body;
    const message = { app: app.id, channel: event.channel, target, event: text };
    if (cancelKey === undefined || isArrival) return { ...message, delayMs: 0 };
    return { ...message, delayMs: this.#options.leaveDelayMs, cancelKey };
  }

  #isNews(app: string, channel: string): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const key = `${app}/${channel}`;
    const before = this.#missedAtMs.get(key);
    if (before !== undefined && nowMs - before < MISS_EVERY_MS) return false;
    this.#missedAtMs.delete(key);
    this.#missedAtMs.set(key, nowMs);
    // The oldest come first in a Map, so those that no longer count are found at its front.
    for (const [old, atMs] of this.#missedAtMs) {
      if (nowMs - atMs < MISS_EVERY_MS) break;
      this.#missedAtMs.delete(old);
    }
    return true;
  }

  #recovered(): void {
    this.#isAway = false;
    this.#failures = 0;
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    const message = `${lost} webhook events could not be kept while the database was away, and are lost`;
    this.#options.failed(new Error(message), "writing webhooks to the database");
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function targetsOf({ app, event }: Notification): readonly string[] {
  if (!("name" in event)) return [DISCONNECT_TARGET];
  const wanting = (app.webhooks ?? []).filter((hook) => wants(hook, event));
  return [...new Set(wanting.map(({ url }) => url))];
}
