/** What an application declares, and the types of names and data that follow from it. */

import type { StandardSchemaV1 } from "@standard-schema/spec";

/** A schema of any Standard Schema library. It has to answer at once: an asynchronous one is refused. */
// biome-ignore lint/suspicious/noExplicitAny: schemas are contravariant in their input; only `any` holds them all.
export type Schema = StandardSchemaV1<any, any>;

export interface Declaration {
  /**
   * The events of each channel, by the channel's name. `*` in a name stands for any run of characters. An exact name counts before
   * patterns; of several patterns that match, the events are joined.
   */
  readonly channels?: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  /** The events for a signed-in user. */
  readonly user?: Readonly<Record<string, Schema>>;
  /** What the server's program answers (custom events), by name. Without `output` the answer is `unknown`. */
  readonly calls?: Readonly<Record<string, { readonly input: Schema; readonly output?: Schema }>>;
  /** The `info` of a user in a presence channel. */
  readonly member?: Schema;
}

/** Without a declaration every name and all data are accepted. */
export interface AnyDeclaration {
  readonly channels: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly user: Readonly<Record<string, Schema>>;
  readonly calls: Readonly<Record<string, { readonly input: Schema; readonly output: Schema }>>;
  readonly member: Schema;
}

/** Returns the declaration as it is; it is a function for the sake of its types. */
export function defineEvents<const D extends Declaration>(declaration: D): D {
  return declaration;
}

type Channels<D> = D extends { readonly channels: infer C } ? C : Record<never, never>;
type Users<D> = D extends { readonly user: infer U } ? U : Record<never, never>;
type Calls<D> = D extends { readonly calls: infer C } ? C : Record<never, never>;
type Key<T> = keyof T & string;

/** `a-*` as a type: `a-${string}`. */
type Matched<Pattern extends string> = Pattern extends `${infer Before}*${infer After}`
  ? `${Before}${string}${Matched<After>}`
  : Pattern;
type Joined<Union> = (Union extends unknown ? (it: Union) => void : never) extends (it: infer All) => void
  ? All
  : never;

/** The events of channel `N`, by name. */
type EventsOf<D, N extends string> =
  N extends Key<Channels<D>>
    ? Channels<D>[N]
    : Joined<{ [P in Key<Channels<D>>]: N extends Matched<P> ? Channels<D>[P] : never }[Key<Channels<D>>]>;

type Output<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : unknown;
type Input<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : unknown;

/** The names of the declared channels; a pattern counts as each name that it matches. */
export type ChannelName<D> = Matched<Key<Channels<D>>>;
/** The names of the events of channel `N`. */
export type EventName<D, N extends string> = Key<EventsOf<D, N>>;
/** What a listener gets. */
export type EventData<D, N extends string, E extends string> = E extends keyof EventsOf<D, N>
  ? Output<EventsOf<D, N>[E]>
  : never;
/** What is published. */
export type EventInput<D, N extends string, E extends string> = E extends keyof EventsOf<D, N>
  ? Input<EventsOf<D, N>[E]>
  : never;
export type UserEventName<D> = Key<Users<D>>;
export type UserEventData<D, E extends string> = E extends keyof Users<D> ? Output<Users<D>[E]> : never;
export type CallName<D> = Key<Calls<D>>;
export type CallInput<D, C extends string> = C extends keyof Calls<D>
  ? Calls<D>[C] extends { readonly input: infer S }
    ? Input<S>
    : never
  : never;
export type CallOutput<D, C extends string> = C extends keyof Calls<D>
  ? Calls<D>[C] extends { readonly output: infer S }
    ? Output<S>
    : unknown
  : never;
/** The `info` of a member; `unknown` if it is not declared. */
export type MemberInfo<D> = D extends { readonly member: infer S } ? Output<S> : unknown;
