/** The types of the Svelte bindings, written once for any declaration. */

import type { AnyDeclaration, ChannelName, Declaration, EventData, EventName } from "@fanfare/schema";
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

/** A name, or a getter of one: another value subscribes another channel. `null` means: not now. */
export type Name<N extends string> = N | null | (() => N | null);

/** Reading `current` in a template or an effect is reactive. */
export interface Current<T> {
  readonly current: T;
}

/** Call them while a component is created. What they return is reactive where it is read, and subscribed while it is. */
export interface Bindings<D extends Declaration = AnyDeclaration> {
  /** Gives the client to this component and those inside it. */
  setClient(client: Client<D>): void;
  getClient(): Client<D>;
  /** The connection's state. Does not connect by itself. */
  connection(): Current<ConnectionSnapshot>;
  /** The channel, its state and its `publish`. */
  channel<N extends ChannelName<D>>(name: Name<N>, options?: ChannelOptions): ChannelHandle<D, N>;
  /** Calls the listener while the component is mounted. */
  event<N extends ChannelName<D>, E extends EventName<D, N>>(
    name: Name<N>,
    event: E,
    listener: (data: EventData<D, N, E>, meta: Meta) => void,
    options?: EventOptions,
  ): void;
  /** The newest events, oldest first; published at most every 16 ms. */
  events<N extends ChannelName<D>, E extends EventName<D, N>>(
    name: Name<N>,
    event: E,
    options: EventsOptions,
  ): Current<readonly ChannelEvent<D, N, E>[]>;
  /** The users in a presence channel. */
  members<N extends ChannelName<D>>(name: Name<N>): MembersHandle<D>;
  /** State that is loaded once and then kept up to date by events. */
  live<N extends ChannelName<D>, T>(name: Name<N>, options: LiveOptions<D, N, T>): LiveHandle<T>;
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

export interface LiveHandle<T> extends LiveSnapshot<T> {
  reload(): void;
}
