/** A channel as the application sees it. */

import type { AnyDeclaration } from "@fanfare/schema";
import { whenAttached } from "./attached.ts";
import { FanfareError } from "./errors.ts";
import type { Holder } from "./holder.ts";
import { guarded, unsubscriber } from "./listeners.ts";
import type { PublishQueue } from "./publish-queue.ts";
import type { Subscription } from "./subscription.ts";
import type {
  Channel,
  ChannelEvent,
  ChannelOptions,
  ChannelSnapshot,
  Gap,
  HistoryOptions,
  HistoryPage,
  ListenerOptions,
  Member,
  Meta,
  Position,
  Published,
  PublishOptions,
  Unsubscribe,
} from "./types.ts";

/** Most events that wait for a reader that iterates. */
const BUFFERED = 1_000;

export class ChannelHandle implements Channel {
  readonly name: string;
  readonly subscription: Subscription;
  readonly subscribe: (onChange: () => void) => Unsubscribe;
  readonly #queue: PublishQueue;
  #defaults: ChannelOptions = {};

  constructor(subscription: Subscription, queue: PublishQueue) {
    this.name = subscription.name;
    this.subscription = subscription;
    this.subscribe = subscription.store.subscribe;
    this.#queue = queue;
  }

  /** For listeners that say nothing else. */
  withDefaults(options: ChannelOptions): this {
    this.#defaults = { ...this.#defaults, ...options };
    this.#keep(options);
    return this;
  }

  get snapshot(): ChannelSnapshot {
    return this.subscription.store.value;
  }

  get position(): Position | undefined {
    return this.subscription.position;
  }

  get members(): readonly Member[] {
    return this.subscription.presence.members;
  }

  get me(): Member | undefined {
    return this.subscription.presence.me;
  }

  get recent(): readonly ChannelEvent[] {
    return this.subscription.recent.events;
  }

  on(
    name: string,
    listener: (data: never, meta: Meta) => void,
    options?: ListenerOptions & ChannelOptions,
  ): Unsubscribe {
    const deliver = ({ event, data, meta }: ChannelEvent) => {
      if (event === name) listener(data as never, meta);
    };
    return this.#hold(options, { deliver });
  }

  onAny(listener: (event: ChannelEvent) => void, options?: ListenerOptions & ChannelOptions): Unsubscribe {
    return this.#hold(options, { deliver: listener });
  }

  onGap(listener: (gap: Gap) => void, options?: ListenerOptions): Unsubscribe {
    return this.subscription.gaps.add(listener, options?.signal);
  }

  onJoin(listener: (member: Member) => void, options?: ListenerOptions): Unsubscribe {
    return this.#holdFor(this.subscription.joins.add(listener), options);
  }

  onLeave(listener: (member: Member) => void, options?: ListenerOptions): Unsubscribe {
    return this.#holdFor(this.subscription.leaves.add(listener), options);
  }

  hold(options?: ChannelOptions): Unsubscribe {
    return this.#hold(options, {});
  }

  /** The channel is subscribed for it, if it is not. */
  async history({ signal, ...page }: HistoryOptions = {}): Promise<HistoryPage> {
    const release = this.subscription.hold({});
    try {
      await whenAttached(this, signal);
      return await this.subscription.history(page);
    } finally {
      release();
    }
  }

  retry(): void {
    if (this.snapshot.state === "refused") this.subscription.attach();
  }

  publish(event: string, data: unknown, options?: PublishOptions): Promise<Published> {
    return this.#queue.publish(this.subscription, event, data, options);
  }

  events<E extends string>(
    name: E,
    options: ListenerOptions & ChannelOptions & { readonly buffer?: number } = {},
  ): AsyncIterableIterator<ChannelEvent<AnyDeclaration, string, E>> {
    return iterate(this, name, options) as AsyncIterableIterator<ChannelEvent<AnyDeclaration, string, E>>;
  }

  #hold(options: (ListenerOptions & ChannelOptions) | undefined, holder: Holder): Unsubscribe {
    const { since, rewind, signal } = { ...this.#defaults, ...options } as ListenerOptions & ChannelOptions;
    if (options) this.#keep(options);
    if (signal?.aborted) return unsubscriber(() => {});
    return unsubscriber(this.subscription.hold({ since, rewind, ...holder }), signal);
  }

  #holdFor(stop: Unsubscribe, options: ListenerOptions | undefined): Unsubscribe {
    const release = this.subscription.hold({});
    return unsubscriber(() => {
      stop();
      release();
    }, options?.signal);
  }

  #keep({ keep = 0 }: ChannelOptions): void {
    const { recent } = this.subscription;
    recent.most = Math.max(recent.most, keep);
  }
}

/** Begins at once, so that nothing is missed before the first `next()`. */
function iterate(
  channel: ChannelHandle,
  name: string,
  { buffer = BUFFERED, signal, ...options }: ListenerOptions & ChannelOptions & { readonly buffer?: number },
): AsyncIterableIterator<ChannelEvent> {
  type Result = IteratorResult<ChannelEvent>;
  const DONE: Result = { done: true, value: undefined };
  const events: ChannelEvent[] = [];
  const readers: { resolve(result: Result): void; reject(error: unknown): void }[] = [];
  let failure: FanfareError | undefined;
  let isOver = false;
  const end = () => {
    isOver = true;
    stop();
    for (const { resolve } of readers.splice(0)) resolve(DONE);
  };
  const deliver = (event: ChannelEvent) => {
    if (event.event !== name || isOver) return;
    const reader = readers.shift();
    if (reader) return reader.resolve({ done: false, value: event });
    events.push(event);
    if (events.length <= buffer) return;
    failure = new FanfareError("buffer_full", `More than ${buffer} events wait to be read.`, { channel: channel.name });
    guarded(end);
  };
  const stop = channel.onAny(deliver, options);
  if (signal?.aborted) end();
  else signal?.addEventListener("abort", end, { once: true });
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const event = events.shift();
        if (event) return resolve({ done: false, value: event });
        if (failure) {
          reject(failure);
          failure = undefined;
        } else if (isOver) resolve(DONE);
        else readers.push({ resolve, reject });
      }),
    return: async () => {
      events.length = 0;
      failure = undefined;
      signal?.removeEventListener("abort", end);
      end();
      return DONE;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
