/**
 * How many bytes the channels of an app keep together: what was kept, the oldest first, and what has to go where it is too much.
 * Engines that forget by themselves what is too old or too many of one channel have the same forgotten here.
 */

import type { EventPublication } from "../../domain/message.ts";
import { Ring } from "./ring.ts";

export interface Retained<T> {
  readonly app: string;
  readonly channel: string;
  readonly bytes: number;
  readonly untilMs: number;
  /** What the engine needs to find it again. */
  readonly value: T;
}

export interface RetentionLimits {
  /** Most of one channel. */
  readonly size: number;
  /** Of all channels of the app. */
  readonly totalBytes: number;
}

/** What an event takes beside its data, and a channel beside its events: of a few hundred bytes in every engine. */
const EVENT_BYTES = 300;
const CHANNEL_BYTES = 700;
const PRUNE_EVERY_MS = 60_000;

/** About what its text takes, in bytes. */
export function eventBytes({ event, data }: EventPublication): number {
  return event.length + Buffer.byteLength(data);
}

interface Entry<T> extends Retained<T> {
  previous: Entry<T> | undefined;
  next: Entry<T> | undefined;
}

/** Of one app. */
interface Account<T> {
  bytes: number;
  oldest: Entry<T> | undefined;
  newest: Entry<T> | undefined;
  readonly channels: Map<string, Ring<Entry<T>>>;
}

export class RetentionBudget<T> {
  readonly #accounts = new Map<string, Account<T>>();
  #prunedAtMs = Number.NEGATIVE_INFINITY;

  /** Counts it, and answers what does not fit any more, the oldest first: it is counted no longer, and has to be forgotten. */
  add(retained: Retained<T>, { size, totalBytes }: RetentionLimits, nowMs: number): readonly T[] {
    const account = this.#accountOf(retained.app, nowMs);
    dropExpired(account, nowMs);
    append(account, retained, size);
    const evicted: T[] = [];
    while (account.bytes > totalBytes && account.oldest) {
      evicted.push(account.oldest.value);
      remove(account, account.oldest);
    }
    return evicted;
  }

  /** Counts it where it fits; answers whether it does. For engines that cannot forget single events. */
  addIfFits(retained: Retained<T>, { size, totalBytes }: RetentionLimits, nowMs: number): boolean {
    const account = this.#accountOf(retained.app, nowMs);
    dropExpired(account, nowMs);
    const isKnown = account.channels.has(retained.channel);
    if (account.bytes + retained.bytes + EVENT_BYTES + (isKnown ? 0 : CHANNEL_BYTES) > totalBytes) return false;
    append(account, retained, size);
    return true;
  }

  bytesOf(app: string): number {
    return this.#accounts.get(app)?.bytes ?? 0;
  }

  prune(nowMs: number): void {
    this.#prunedAtMs = nowMs;
    for (const [app, account] of this.#accounts) {
      dropExpired(account, nowMs);
      if (!account.oldest) this.#accounts.delete(app);
    }
  }

  clear(): void {
    this.#accounts.clear();
  }

  #accountOf(app: string, nowMs: number): Account<T> {
    // What an app kept that is quiet now would stay.
    if (nowMs - this.#prunedAtMs > PRUNE_EVERY_MS) this.prune(nowMs);
    let account = this.#accounts.get(app);
    if (!account) {
      account = { bytes: 0, oldest: undefined, newest: undefined, channels: new Map() };
      this.#accounts.set(app, account);
    }
    return account;
  }
}

function append<T>(account: Account<T>, retained: Retained<T>, size: number): void {
  const entry: Entry<T> = { ...retained, previous: account.newest, next: undefined };
  if (account.newest) account.newest.next = entry;
  else account.oldest = entry;
  account.newest = entry;
  account.bytes += entry.bytes + EVENT_BYTES;
  let ofChannel = account.channels.get(entry.channel);
  if (!ofChannel) {
    ofChannel = new Ring();
    account.channels.set(entry.channel, ofChannel);
    account.bytes += CHANNEL_BYTES;
  }
  ofChannel.push(entry);
  for (let oldest = ofChannel.at(0); oldest && ofChannel.length > size; oldest = ofChannel.at(0))
    remove(account, oldest);
}

/** In the order of their publication, which is that of their ends while the app's settings stay what they are. */
function dropExpired<T>(account: Account<T>, nowMs: number): void {
  while (account.oldest && account.oldest.untilMs <= nowMs) remove(account, account.oldest);
}

/** It is the oldest of its channel. */
function remove<T>(account: Account<T>, entry: Entry<T>): void {
  const { previous, next, channel } = entry;
  if (previous) previous.next = next;
  else account.oldest = next;
  if (next) next.previous = previous;
  else account.newest = previous;
  account.bytes -= entry.bytes + EVENT_BYTES;
  const ofChannel = account.channels.get(channel);
  ofChannel?.drop(1);
  if (ofChannel?.length !== 0) return;
  account.channels.delete(channel);
  account.bytes -= CHANNEL_BYTES;
}
