/** A channel as the application sees it. */

import type { FanfareError } from "./errors.ts";
import { readHistory } from "./history.ts";
import type { Holder } from "./holder.ts";
import { unsubscriber } from "./listeners.ts";
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
import { whenAttached } from "./waiting.ts";

export class ChannelHandle implements Channel {
  readonly name: string;
  readonly subscription: Subscription;
  readonly subscribe: (onChange: () => void) => Unsubscribe;
  readonly #queue: PublishQueue;
  #defaults: ChannelOptions = {};

  constructor(subscription: Subscription, queue: PublishQueue) {
    this.name = subscription.name;
    this.subscription = subscription;
    this.subscribe = (onChange) => subscription.used().store.subscribe(onChange);
    this.#queue = queue;
  }

  /** For listeners that say nothing else. */
  withDefaults(options: ChannelOptions): this {
    this.#defaults = { ...this.#defaults, ...options };
    this.subscription.used().isConfigured = true;
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
    return this.subscription.used().gaps.add(listener, options?.signal);
  }

  onJoin(listener: (member: Member) => void, options?: ListenerOptions): Unsubscribe {
    return this.#holdFor(this.subscription.joins.add(listener), options);
  }

  onLeave(listener: (member: Member) => void, options?: ListenerOptions): Unsubscribe {
    return this.#holdFor(this.subscription.leaves.add(listener), options);
  }

  onUpdate(listener: (member: Member) => void, options?: ListenerOptions): Unsubscribe {
    return this.#holdFor(this.subscription.updates.add(listener), options);
  }

  onRemoved(listener: (error: FanfareError) => void, options?: ListenerOptions): Unsubscribe {
    return this.subscription.used().removals.add(listener, options?.signal);
  }

  hold(options?: ChannelOptions): Unsubscribe {
    return this.#hold(options, {});
  }

  /** The channel is subscribed for it, if it is not. */
  async history({ signal, ...page }: HistoryOptions = {}): Promise<HistoryPage> {
    const release = this.subscription.hold({});
    try {
      await whenAttached(this, signal);
      return await readHistory(this.subscription, page);
    } finally {
      release();
    }
  }

  retry(): void {
    if (this.snapshot.state !== "refused") return;
    this.subscription.forgive();
    this.subscription.attach();
  }

  publish(event: string, data: unknown, options?: PublishOptions): Promise<Published> {
    return this.#queue.publish(this.subscription, event, data, options);
  }

  #hold(options: (ListenerOptions & ChannelOptions) | undefined, holder: Holder): Unsubscribe {
    const { since, rewind, signal } = { ...this.#defaults, ...options } as ListenerOptions & ChannelOptions;
    if (options) this.#keep(options);
    if (signal?.aborted) return unsubscriber(() => {});
    return unsubscriber(this.subscription.hold({ since, rewind, again: rewind, ...holder }), signal);
  }

  #holdFor(stop: Unsubscribe, options: ListenerOptions | undefined): Unsubscribe {
    const release = this.subscription.hold({});
    return unsubscriber(() => {
      stop();
      release();
    }, options?.signal);
  }

  #keep({ keep = 0, watch }: ChannelOptions): void {
    const { recent } = this.subscription;
    this.subscription.isWatching = watch ?? this.subscription.isWatching;
    recent.most = Math.max(recent.most, keep);
  }
}
