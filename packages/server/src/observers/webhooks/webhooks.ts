/**
 * Tells receivers what happens. What is observed in one step is written to the outbox together, right after it: no message
 * waits for a database, and from then on nothing is lost, whoever dies. A database over a network takes its time to say so.
 */

import type { App } from "../../domain/app.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Awaitable, Clock, Observer } from "../../domain/ports.ts";
import type { Delivery } from "./delivery.ts";
import { type Fact, factOf, type WebhookEvent, wants } from "./facts.ts";
import type { Letter, Outbox } from "./outbox.ts";
import { Returns, type Told } from "./returns.ts";

export interface WebhooksOptions {
  readonly outbox: Outbox;
  readonly delivery: Delivery;
  readonly clock: Clock;
  /** How long a going is held back in case it is undone, in milliseconds. */
  readonly leaveDelayMs: number;
  /** Whether the event's user is in its channel, or, where it names none, anybody. */
  readonly isHere: (app: App, event: WebhookEvent) => Awaitable<boolean>;
  /** Whether another node sends its clients to this one, and may be late to write that they left. */
  readonly isOtherLeaving?: () => Awaitable<boolean>;
  readonly failed: (error: unknown, during: string) => void;
}

/** Most facts that wait while the database is away; beyond it the oldest are given up, and that is said. */
const MOST_WAITING = 10_000;
/** They are given up in bunches: each time, all the others are moved. */
const SLACK = 1_000;
/** How soon a write comes again: soon at first, where only another process held the file. Whoever left is then not told after their return. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;
/** For so long at most, returns wait for departures that another node has yet to write. */
const LONGEST_WAIT_MS = 500;
/** The part of the time that a departure is held back. */
const WAIT_SHARE = 6;
/** A channel without an event tells so at most this often, however many come. */
const MISS_EVERY_MS = 10_000;
/** How long the last of them may take to be sent. */
const LAST_MS = 4_000;
/** When in the time that a going is held back it is compared with who is there. */
const COMPARED_AFTER = 2 / 3;

export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #returns: Returns;
  #facts: Fact[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #isAway = false;
  #closed = false;
  readonly #missedAtMs = new Map<string, number>();

  constructor(options: WebhooksOptions) {
    this.#options = options;
    this.#returns = new Returns({ ...options, afterMs: options.leaveDelayMs * COMPARED_AFTER });
  }

  readonly observe: Observer = (happened: HubEvent) => {
    if (!("app" in happened) || !happened.app.webhooks?.length) return;
    if (happened.type === "missed" && !this.#isNews(happened.app.id, happened.channel)) return;
    const fact = factOf(happened);
    if (!fact || this.#closed) return;
    this.#facts.push(fact);
    if (this.#facts.length > MOST_WAITING + SLACK) this.#keep(this.#facts);
    this.#writing ??= this.#write();
  };

  /** Resolves when the outbox has what was observed. Never rejects. */
  get written(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }

  /**
   * Writes what is observed already. What cannot be written is lost, and that is said. Where `sendsRest`, nobody else sends what
   * is written, so it is sent now, for `LAST_MS` at most, what is held back as well.
   */
  async close(sendsRest = false): Promise<void> {
    this.#closed = true;
    this.#returns.close();
    await this.#writing;
    const { outbox, delivery, clock, failed } = this.#options;
    if (sendsRest) {
      try {
        await outbox.hasten(clock.wallMs());
        await delivery.flush(LAST_MS);
      } catch (error) {
        failed(error, "sending the last webhooks");
      }
    }
    await delivery.close();
  }

  async #write(): Promise<void> {
    // Whatever else happens in this step of the program's is written with it; SQLite has it before the program takes another.
    await undefined;
    while (this.#facts.length > 0) {
      if (!this.#closed && (await this.#options.isOtherLeaving?.())) await this.#wait();
      const facts = this.#facts;
      this.#facts = [];
      try {
        await this.#put(facts);
        this.#recovered();
      } catch (error) {
        this.#keep([...facts, ...this.#facts]);
        if (!this.#isAway) this.#options.failed(error, "writing webhooks to the database");
        this.#isAway = true;
        if (this.#closed) {
          this.#lost += this.#facts.length;
          this.#facts = [];
          this.#recovered();
          break;
        }
        await pause(this.#pauseMs * (0.5 + Math.random()));
        this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
      }
    }
    // In the very step in which nothing was left: a fact that comes in the next one is written by another call.
    this.#writing = undefined;
  }

  /** All of them, so that they stay in order. */
  #wait(): Promise<void> {
    return pause(Math.min(LONGEST_WAIT_MS, this.#options.leaveDelayMs / WAIT_SHARE));
  }

  /** The newest of them, as many as may wait. */
  #keep(facts: Fact[]): void {
    const over = Math.max(0, facts.length - MOST_WAITING);
    this.#lost += over;
    this.#facts = over > 0 ? facts.slice(over) : facts;
  }

  async #put(facts: readonly Fact[]): Promise<void> {
    const { outbox, delivery, clock } = this.#options;
    const laid = await outbox.together((inside) => this.#lay(inside, facts, clock.wallMs()));
    if (laid.letters > 0) delivery.wake();
    this.#returns.add(laid.returns);
  }

  /** How many letters there are to send, and the returns among them. */
  async #lay(outbox: Outbox, facts: readonly Fact[], nowMs: number) {
    const letters: Letter[] = [];
    const returns: Told[] = [];
    for (const fact of facts) {
      for (const target of targetsOf(fact)) {
        const letter = this.#letterTo(target, fact);
        if (!fact.isReturn || fact.undo === undefined) {
          letters.push(letter);
          continue;
        }
        const { app, undo } = { app: fact.app.id, undo: fact.undo };
        const held = letters.findLastIndex((one) => one.target === target && one.app === app && one.undo === undo);
        if (held >= 0) letters.splice(held, 1);
        else if (!(await outbox.takeBack({ app, target, undo }, nowMs))) {
          letters.push(letter);
          returns.push({ app: fact.app, event: fact.event, target, undo });
        }
      }
    }
    if (letters.length > 0) await outbox.write(letters, nowMs);
    return { letters: letters.length, returns };
  }

  #letterTo(target: string, { app, event, undo, isReturn }: Fact): Letter {
    const letter = { app: app.id, channel: event.channel, target, event: JSON.stringify(event) };
    if (undo === undefined || isReturn) return { ...letter, delayMs: 0 };
    return { ...letter, delayMs: this.#options.leaveDelayMs, undo };
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
    this.#pauseMs = FIRST_PAUSE_MS;
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

function targetsOf({ app, event }: Fact): readonly string[] {
  const wanting = (app.webhooks ?? []).filter((hook) => wants(hook, event));
  return [...new Set(wanting.map(({ url }) => url))];
}
