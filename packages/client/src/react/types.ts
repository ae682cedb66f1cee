/** The types of the hooks. They are written once, for any declaration: the hooks themselves are those without one. */

import type { AnyDeclaration, ChannelName, Declaration, EventData, EventName } from "@fanfare/schema";
import type { ReactElement, ReactNode } from "react";
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

/** In each hook, `null` as the name means: not now. */
export interface Hooks<D extends Declaration = AnyDeclaration> {
  /** Gives the client to the components inside it. */
  FanfareProvider(props: { readonly client: Client<D>; readonly children?: ReactNode }): ReactElement;
  useClient(): Client<D>;
  /** The connection's state. Does not connect by itself. */
  useConnection(): ConnectionSnapshot;
  /** The channel, its state and its `publish`. The channel is subscribed while the component is mounted. */
  useChannel<N extends ChannelName<D>>(name: N | null, options?: ChannelOptions): ChannelHandle<D, N>;
  /** Calls the listener of the newest render; it needs no list of dependencies. */
  useEvent<N extends ChannelName<D>, E extends EventName<D, N>>(
    name: N | null,
    event: E,
    listener: (data: EventData<D, N, E>, meta: Meta) => void,
    options?: EventOptions,
  ): void;
  /** The newest events, oldest first; published at most every 16 ms. */
  useEvents<N extends ChannelName<D>, E extends EventName<D, N>>(
    name: N | null,
    event: E,
    options: EventsOptions,
  ): readonly ChannelEvent<D, N, E>[];
  /** The users in a presence channel. */
  useMembers<N extends ChannelName<D>>(name: N | null): MembersHandle<D>;
  /** State that is loaded once and then kept up to date by events. The options of the newest render count. */
  useLive<N extends ChannelName<D>, T>(name: N | null, options: LiveHookOptions<D, N, T>): LiveHandle<T>;
}

export interface ChannelHandle<D extends Declaration = AnyDeclaration, N extends string = string>
  extends ChannelSnapshot {
  /** `null` while the name is. */
  readonly channel: Channel<D, N> | null;
  /** Rejects with a `TypeError` while the name is `null`. */
  readonly publish: Channel<D, N>["publish"];
}

export interface MembersHandle<D extends Declaration = AnyDeclaration> {
  readonly members: readonly Member<D>[];
  readonly me?: Member<D> | undefined;
}

export interface LiveHookOptions<D extends Declaration, N extends string, T> extends LiveOptions<D, N, T> {
  /**
   * Suspends the component until the state is loaded for the first time, and never again. Components that suspend for the same
   * channel share its state.
   */
  readonly suspense?: boolean;
  /** Tells two states of one channel apart, where components suspend for both. */
  readonly key?: string;
}

export interface LiveHandle<T> extends LiveSnapshot<T> {
  reload(): void;
}
