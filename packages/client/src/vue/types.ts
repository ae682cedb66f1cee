/** The types of the composables, written once for any declaration. */

import type { AnyDeclaration, ChannelName, Declaration, EventData, EventName } from "@fanfare/schema";
import type { ComputedRef, MaybeRefOrGetter, Plugin, ShallowRef } from "vue";
import type { EventOptions, EventsOptions } from "../bindings/types.ts";
import type {
  Channel,
  ChannelEvent,
  ChannelOptions,
  ChannelSnapshot,
  Client,
  ConnectionSnapshot,
  LiveOptions,
  LiveSnapshot,
  Member,
  Meta,
} from "../types.ts";

/** A name, or a ref or getter of one: another value subscribes another channel. `null` means: not now. */
export type Name<N extends string> = MaybeRefOrGetter<N | null>;

/** Each member of a snapshot as a ref, so that it can be destructured. */
type Refs<T> = { readonly [K in keyof T]-?: ComputedRef<T[K]> };

export interface Composables<D extends Declaration = AnyDeclaration> {
  /** `app.use(fanfare(client))` gives the client to all components. */
  fanfare(client: Client<D>): Plugin;
  useClient(): Client<D>;
  /** The connection's state. Does not connect by itself. */
  useConnection(): Readonly<ShallowRef<ConnectionSnapshot>>;
  /** The channel, its state and its `publish`. The channel is subscribed while the component is mounted and not kept alive in the background. */
  useChannel<N extends ChannelName<D>>(name: Name<N>, options?: ChannelOptions): ChannelHandle<D, N>;
  useEvent<N extends ChannelName<D>, E extends EventName<D, N>>(
    name: Name<N>,
    event: E,
    listener: (data: EventData<D, N, E>, meta: Meta) => void,
    options?: EventOptions,
  ): void;
  /** The newest events, oldest first; published at most every 16 ms. */
  useEvents<N extends ChannelName<D>, E extends EventName<D, N>>(
    name: Name<N>,
    event: E,
    options: EventsOptions,
  ): Readonly<ShallowRef<readonly ChannelEvent<D, N, E>[]>>;
  /** The users in a presence channel. */
  useMembers<N extends ChannelName<D>>(name: Name<N>): MembersHandle<D>;
  /** State that is loaded once and then kept up to date by events. */
  useLive<N extends ChannelName<D>, T>(name: Name<N>, options: LiveOptions<D, N, T>): LiveHandle<T>;
}

export interface ChannelHandle<D extends Declaration = AnyDeclaration, N extends string = string>
  extends Refs<ChannelSnapshot> {
  /** `null` while the name is. */
  readonly channel: ComputedRef<Channel<D, N> | null>;
  /** Rejects with a `TypeError` while the name is `null`. */
  readonly publish: Channel<D, N>["publish"];
}

export interface MembersHandle<D extends Declaration = AnyDeclaration> {
  readonly members: ComputedRef<readonly Member<D>[]>;
  readonly me: ComputedRef<Member<D> | undefined>;
}

export interface LiveHandle<T> extends Refs<LiveSnapshot<T>> {
  reload(): void;
}
