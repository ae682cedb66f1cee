/** What the application says of its user in a presence channel: the latest counts, and is said again whenever the channel is subscribed anew. */

import type { Declaration, MemberState } from "@fanfare/schema";
import type { ChannelHandle } from "./channel.ts";
import { after, type Cancel } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import type { Subscription } from "./subscription.ts";
import type { Channel, ChannelSnapshot, Unsubscribe } from "./types.ts";

/**
 * Says something of the user to all members of the channel, who find it as `state` of the member; `null` takes it back. Resolves when
 * the server has it, or a later one. It is said again after a reconnect, and forgotten when the channel is left or the client ends;
 * somebody has to hold the channel meanwhile. More than the server allows in a second (2) is not sent: of what comes too fast, the last is.
 */
export function updatePresence<D extends Declaration, N extends string>(
  channel: Channel<D, N>,
  state: MemberState<D> | null,
): Promise<void> {
  const { subscription } = channel as unknown as ChannelHandle;
  let known = STATES.get(subscription);
  if (!known) {
    known = new OwnState(subscription);
    STATES.set(subscription, known);
  }
  return known.set(state);
}

/** Where the server does not say how many it takes. */
const PER_SECOND = 2;

class OwnState {
  readonly #subscription: Subscription;
  /** Undefined where there is nothing to say. */
  #state: unknown;
  /** As whom: it is nobody else's. */
  #user: string | undefined;
  /** The subscription in which it is said. */
  #saidIn: ChannelSnapshot | undefined;
  #isSending = false;
  #failures = 0;
  #cancelPause: Cancel | undefined;
  #callers: PromiseWithHandlers[] = [];
  /** While there is something to say. */
  #stops: Unsubscribe[] = [];

  constructor(subscription: Subscription) {
    this.#subscription = subscription;
  }

  set(state: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      // A copy: what the application changes later is not said.
      this.#state = JSON.parse(JSON.stringify(state ?? null));
      this.#saidIn = undefined;
      this.#callers.push({ resolve, reject });
      if (this.#stops.length === 0) this.#watch();
      this.#look();
    });
  }

  #watch(): void {
    const { store, owner } = this.#subscription;
    const ended = (isRunning: boolean) => {
      if (!isRunning) this.#forget(new FanfareError("closed", "The client has ended."));
    };
    this.#stops = [store.subscribe(() => this.#look()), owner.runs.add(ended)];
  }

  /** Says it where it has to be said, and may be. */
  #look(): void {
    const { store, presence, isHeld } = this.#subscription;
    const { state, error } = store.value;
    if (this.#state === undefined) return;
    if (state === "refused") return this.#forget(error);
    if (state === "detached" && !isHeld) return this.#forget();
    if (state !== "attached" || this.#saidIn === store.value || this.#isSending || this.#cancelPause) return;
    if (this.#user !== undefined && this.#user !== presence.myId) return this.#forget();
    this.#user = presence.myId;
    this.#say(this.#state, store.value);
  }

  #say(said: unknown, subscribed: ChannelSnapshot): void {
    const { name, owner } = this.#subscription;
    const { connection } = owner;
    this.#isSending = true;
    this.#pause(1_000 / (connection.welcome?.limits?.memberUpdatesPerSecond ?? PER_SECOND));
    connection.request("presence", { channel: name, state: said }, "presence", (error) => {
      this.#isSending = false;
      if (error && !error.retryable) return this.#forget(error);
      if (error) this.#pause(error.retryAfterMs ?? owner.settings.backoffMs(this.#failures++));
      else this.#failures = 0;
      if (!error && said === this.#state) {
        this.#saidIn = subscribed;
        this.#settle();
      }
      this.#look();
    });
  }

  #pause(ms: number): void {
    this.#cancelPause?.();
    this.#cancelPause = after(this.#subscription.owner.settings.environment, ms, () => {
      this.#cancelPause = undefined;
      this.#look();
    });
  }

  #forget(error = new FanfareError("not_subscribed", "The channel is not subscribed as this user: hold it.")): void {
    this.#state = undefined;
    this.#user = undefined;
    for (const stop of this.#stops.splice(0)) stop();
    this.#settle(error);
  }

  #settle(error?: FanfareError): void {
    for (const { resolve, reject } of this.#callers.splice(0)) {
      if (error) reject(error);
      else resolve();
    }
  }
}

interface PromiseWithHandlers {
  resolve(): void;
  reject(error: unknown): void;
}

const STATES = new WeakMap<Subscription, OwnState>();
