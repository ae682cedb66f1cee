/** State that is loaded once and then kept up to date by a channel's events. */

import type { Declaration } from "@fanfare/schema";
import type { ChannelHandle } from "./channel.ts";
import { after, type Cancel } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import { guarded, Store, unsubscriber } from "./listeners.ts";
import type { Subscription } from "./subscription.ts";
import type { SubscriptionOwner } from "./subscription-owner.ts";
import type {
  Channel,
  ChannelEvent,
  Live,
  LiveOptions,
  LiveSnapshot,
  LoadRequest,
  Position,
  Unsubscribe,
} from "./types.ts";

type Options<T> = LiveOptions<never, string, T>;

/** Tries to load, with a doubled pause before each but the first. */
const TRIES = 4;
const PAUSE_MS = 1_000;
const NOTIFY_MS = 16;
const BUFFERED = 1_000;
/** After so long a gap is another one. */
const STOOD_MS = 10_000;

/** State that is loaded once and then kept up to date by the channel's events. It is a function of its own for those who do without. */
export function createLive<D extends Declaration, N extends string, T>(
  channel: Channel<D, N>,
  options: LiveOptions<D, N, T>,
): Live<T> {
  const { subscription } = channel as unknown as ChannelHandle;
  return new LiveState(options as unknown as Options<T>, subscription);
}

class LiveState<T> implements Live<T> {
  readonly #options: Options<T>;
  readonly #subscription: Subscription;
  readonly #owner: SubscriptionOwner;
  readonly #store = new Store<LiveSnapshot<T>>({ value: undefined, status: "loading" });
  #value: T | undefined;
  #subscribers = 0;
  #isRunning = false;
  /** The loader gives no position: the channel is subscribed first, and events wait while it loads. */
  #isBlind = false;
  /** While it loads; undefined when events are applied as they come. */
  #buffer: ChannelEvent[] | undefined;
  #abort = new AbortController();
  #tries = 0;
  #liveAt = 0;
  #release: (() => void) | undefined;
  #stopWatching: Unsubscribe | undefined;
  #cancelRetry: Cancel | undefined;
  #cancelNotify: Cancel | undefined;
  #cancelLinger: Cancel | undefined;
  #awaitAttached: Unsubscribe | undefined;

  constructor(options: Options<T>, subscription: Subscription) {
    this.#options = options;
    this.#subscription = subscription;
    this.#owner = subscription.owner;
  }

  get snapshot(): LiveSnapshot<T> {
    return this.#store.value;
  }

  subscribe(onChange: () => void): Unsubscribe {
    const stop = this.#store.subscribe(onChange);
    this.#subscribers++;
    this.#cancelLinger?.();
    this.#start();
    return unsubscriber(() => {
      stop();
      if (--this.#subscribers > 0) return;
      const { environment, lingerMs } = this.#owner.settings;
      this.#cancelLinger = after(environment, lingerMs, () => this.#stop());
    });
  }

  reload(): void {
    if (!this.#isRunning) return;
    this.#tries = 0;
    this.#load("reload");
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#tries = 0;
    let hasEnded = false;
    this.#stopWatching ??= this.#owner.runs.add((isRunning) => {
      if (!isRunning) this.#pause();
      // The first connection is none that has come back.
      else if (hasEnded) this.reload();
      hasEnded = !isRunning;
    });
    this.#load("first");
  }

  #stop(): void {
    this.#pause();
    this.#isRunning = false;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  /** Nothing is under way any more. */
  #pause(): void {
    this.#abort.abort();
    this.#cancelRetry?.();
    this.#cancelLinger?.();
    this.#awaitAttached?.();
    this.#release?.();
    this.#release = undefined;
    this.#buffer = undefined;
    this.#show(this.#value === undefined ? "loading" : "stale");
  }

  /** What was loading before is given up. */
  #load(reason: LoadRequest["reason"]): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#cancelRetry?.();
    this.#awaitAttached?.();
    this.#show(this.#value === undefined ? "loading" : "stale");
    const isAttached = this.#subscription.state === "attached";
    if (isAttached && !this.#owner.hasHistory) this.#isBlind = true;
    if (!this.#isBlind) return void this.#run(reason, this.#abort.signal);
    this.#buffer = [];
    this.#hold(undefined);
    if (isAttached) return void this.#run(reason, this.#abort.signal);
    this.#awaitAttached = this.#subscription.store.subscribe(() => {
      if (this.#subscription.state !== "attached") return;
      this.#awaitAttached?.();
      void this.#run(reason, this.#abort.signal);
    });
  }

  async #run(reason: LoadRequest["reason"], signal: AbortSignal): Promise<void> {
    try {
      const { state, position } = await this.#options.load({ signal, reason });
      if (signal.aborted) return;
      if (!position && !this.#isBlind) {
        this.#isBlind = true;
        return this.#load(reason);
      }
      this.#loaded(state, this.#isBlind ? undefined : position);
    } catch (error) {
      if (!signal.aborted) this.#failed(reason, error);
    }
  }

  #loaded(state: T, position: Position | null | undefined): void {
    this.#value = state;
    this.#liveAt = this.#owner.settings.environment.now();
    const buffer = this.#buffer;
    this.#buffer = undefined;
    if (position) this.#hold(position);
    else for (const event of buffer ?? []) this.#apply(event);
    this.#show("live");
  }

  #failed(reason: LoadRequest["reason"], error: unknown): void {
    if (++this.#tries >= TRIES) return this.#show("error", error);
    const pauseMs = PAUSE_MS * 2 ** (this.#tries - 1);
    this.#cancelRetry = after(this.#owner.settings.environment, pauseMs, () => this.#load(reason));
  }

  /** From a position on, or from now on. The one before is given up after, so that the channel stays subscribed. */
  #hold(since: Position | undefined): void {
    const release = this.#release;
    const holder = {
      since,
      deliver: (event: ChannelEvent) => this.#event(event),
      gap: () => this.#missed(),
    };
    this.#release = this.#subscription.hold(holder);
    release?.();
  }

  #event(event: ChannelEvent): void {
    if (!this.#buffer) return this.#apply(event);
    this.#buffer.push(event);
    if (this.#buffer.length <= BUFFERED) return;
    this.#buffer = undefined;
    this.#abort.abort();
    this.#failed("reload", new FanfareError("buffer_full", `More than ${BUFFERED} events came while it was loading.`));
  }

  /** What is shown may be wrong from here on. */
  #missed(): void {
    if (!this.#isRunning) return;
    if (this.#owner.settings.environment.now() - this.#liveAt > STOOD_MS) this.#tries = 0;
    if (this.#tries === 0) {
      this.#tries++;
      return this.#load("gap");
    }
    this.#failed("gap", new FanfareError("connection_lost", "What was missed could not be recovered."));
  }

  #apply(event: ChannelEvent): void {
    guarded(() => {
      this.#value = this.#options.apply(this.#value as T, event as never);
    });
    const { environment } = this.#owner.settings;
    this.#cancelNotify ??= after(environment, NOTIFY_MS, () => this.#show(this.snapshot.status));
  }

  #show(status: LiveSnapshot<T>["status"], error?: unknown): void {
    this.#cancelNotify?.();
    this.#cancelNotify = undefined;
    this.#store.set({ value: this.#value, status, ...(error !== undefined && { error }) });
  }
}
