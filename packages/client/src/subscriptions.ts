/** All channels of a client: subscribed again on each connection, a bounded number of commands at a time. */

import type { Connection } from "./connection.ts";
import { FEATURE, type Frame } from "./frames.ts";
import { Listeners } from "./listeners.ts";
import type { Settings } from "./options.ts";
import type { KeptPositions } from "./positions.ts";
import { Subscription } from "./subscription.ts";
import type { ChannelUser, SubscriptionOwner } from "./subscription-owner.ts";

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
  readonly #all = new Map<string, Subscription>();
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
    let found = this.#all.get(name);
    if (!found) {
      found = new Subscription(name, this);
      this.#all.set(name, found);
    }
    return found;
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
