/** All channels of a client: subscribed again on each connection, a bounded number of commands at a time. */

import type { Connection } from "./connection.ts";
import { FEATURE, type Frame } from "./frames.ts";
import { Listeners } from "./listeners.ts";
import type { Settings } from "./options.ts";
import type { KeptPositions } from "./positions.ts";
import { Subscription } from "./subscription.ts";
import type { ChannelUser, SubscriptionOwner } from "./subscription-owner.ts";

/** Of fewer channels none is forgotten. */
const FEW = 100;
/** The server ends a connection that has too many commands waiting. */
const MOST_UNANSWERED = 64;

export class Subscriptions implements SubscriptionOwner {
  readonly settings: Settings;
  readonly connection: Connection;
  readonly positions: KeptPositions;
  /** Signed in, so that subscribing makes sense. */
  isReady = false;
  readonly user: ChannelUser;
  readonly runs = new Listeners<[isRunning: boolean]>();
  /** All that are in use. */
  readonly #all = new Map<string, Subscription>();
  /** Others that the application may still have: it shall find the same object again, and a page that visits thousands of channels none. */
  readonly #unused = new Map<string, WeakRef<Subscription>>();
  /** So many are looked through for those that are not in use any more. */
  #sweepAt = typeof WeakRef === "function" ? FEW : Number.POSITIVE_INFINITY;
  /** Each says whether it has sent something. */
  #waiting: (() => boolean)[] = [];
  #unanswered = 0;
  #abort = new AbortController();

  constructor(settings: Settings, connection: Connection, positions: KeptPositions, user: ChannelUser) {
    this.settings = settings;
    this.connection = connection;
    this.positions = positions;
    this.user = user;
  }

  /** Aborts with the connection. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isRunning(): boolean {
    return this.connection.isRunning;
  }

  get hasHistory(): boolean {
    return this.connection.has(FEATURE.history);
  }

  /** Whether every channel that is subscribed has a position to go on from. */
  get areResumable(): boolean {
    return [...this.#all.values()].every(({ state, position }) => state !== "attached" || position);
  }

  get(name: string): Subscription {
    return this.#all.get(name) ?? (this.#unused.get(name)?.deref() ?? new Subscription(name, this)).used();
  }

  use(subscription: Subscription): void {
    const { name } = subscription;
    if (this.#all.has(name)) return;
    if (this.#all.size >= this.#sweepAt) this.#sweep();
    this.#unused.delete(name);
    this.#all.set(name, subscription);
  }

  #sweep(): void {
    for (const [name, unused] of this.#unused) if (!unused.deref()) this.#unused.delete(name);
    for (const [name, subscription] of this.#all) {
      if (subscription.isInUse) continue;
      this.#all.delete(name);
      this.#unused.set(name, new WeakRef(subscription));
    }
    this.#sweepAt = Math.max(FEW, 2 * this.#all.size);
  }

  /** All that are held, in one go; before there is a connection they only show that they wait for it. */
  attachAll(isReady: boolean): void {
    this.isReady = isReady;
    for (const subscription of this.#all.values()) subscription.attach();
  }

  /** They wait for a connection. */
  begin(): void {
    this.attachAll(false);
    this.runs.emit(true);
  }

  /** After a change of permissions. */
  retryRefused(): void {
    for (const subscription of this.#all.values()) if (subscription.state === "refused") subscription.attach();
  }

  /** Whoever comes next was taken out of nothing. */
  signedOut(): void {
    for (const subscription of this.#all.values()) subscription.forgive();
  }

  lost(): void {
    this.isReady = false;
    this.#waiting = [];
    this.#abort.abort();
    this.#abort = new AbortController();
    for (const subscription of this.#all.values()) subscription.attach();
  }

  ended(state: "failed" | "closed"): void {
    this.lost();
    for (const subscription of this.#all.values()) {
      if (state === "closed") subscription.detach();
      else subscription.suspend();
    }
    this.runs.emit(false);
  }

  /** Soon, or when others have been answered. */
  enqueue(send: () => boolean): void {
    this.#waiting.push(send);
    this.#pump();
  }

  answered(): void {
    this.#unanswered--;
    this.#pump();
  }

  #pump(): void {
    while (this.#unanswered < MOST_UNANSWERED) {
      const send = this.#waiting.shift();
      if (!send) return;
      this.#unanswered++;
      if (!send()) this.#unanswered--;
    }
  }

  frame(name: string | undefined, frame: Frame): void {
    if (frame.channel === undefined) return;
    const known = name === "subscribed" ? this.get(frame.channel) : this.#all.get(frame.channel);
    known?.frame(name, frame);
  }
}
