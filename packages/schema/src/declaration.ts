/** What an application declares, and the types of names and data that follow from it. */

import type { SchemaInput, SchemaOutput, StandardSchema } from "./standard-schema.ts";

/** A schema of any Standard Schema library. It has to answer at once: an asynchronous one is refused. */
// biome-ignore lint/suspicious/noExplicitAny: schemas are contravariant in their input; only `any` holds them all.
export type Schema = StandardSchema<any, any>;

/** Schemas by the names of events; that of `*` is for every other event. */
export type EventSchemas = Readonly<Record<string, Schema>>;

/** A part that is given is complete: what it does not name is refused. A part that is left out allows every name and all data. */
export interface Declaration {
  /**
   * The events of each channel, by the channel's name. `*` in it stands for any run of characters. An exact name counts before patterns;
   * of several patterns that match, the events are joined.
   */
  readonly channels?: Readonly<Record<string, EventSchemas>>;
  /** The events for a signed-in user. */
  readonly user?: EventSchemas;
  /** What the server's program answers (custom events), by name. Without `output` the answer is `unknown`. */
  readonly calls?: Readonly<Record<string, CallSchemas>>;
  /** The `info` of a user in a presence channel. It is for the compiler only: who signs it vouches for it. */
  readonly member?: Schema;
  /** The `state` of one, which its clients give it. For the compiler only: whoever reads it has to check it. */
  readonly memberState?: Schema;
}

export interface CallSchemas {
  readonly input: Schema;
  readonly output?: Schema;
}

/** Without a declaration every name and all data are accepted. */
export interface AnyDeclaration {
  readonly channels: Readonly<Record<string, EventSchemas>>;
  readonly user: EventSchemas;
  readonly calls: Readonly<Record<string, { readonly input: Schema; readonly output: Schema }>>;
  readonly member: Schema;
  readonly memberState: Schema;
}

/** Returns the declaration as it is; it is a function for the sake of its types. */
export function defineEvents<const D extends Declaration>(declaration: D): D {
  return declaration;
}

/** A schema that is for the compiler only: at run time it accepts everything. */
export function unchecked<T>(): StandardSchema<T> {
  return { "~standard": { version: 1, vendor: "fanfare", validate: (value) => ({ value: value as T }) } };
}

type Part<D, P extends keyof AnyDeclaration> = D extends { readonly [Name in P]: infer Given }
  ? Given
  : AnyDeclaration[P];
type Channels<D> = Part<D, "channels">;
type Calls<D> = Part<D, "calls">;
type Key<T> = keyof T & string;

/** `a-*` as a type: `a-${string}`. */
type Matched<Pattern extends string> = Pattern extends `${infer Before}*${infer After}`
  ? `${Before}${string}${Matched<After>}`
  : Pattern;
type Joined<Union> = (Union extends unknown ? (it: Union) => void : never) extends (it: infer All) => void
  ? All
  : never;

/** The schemas of channel `N`, by event. */
type SchemasOf<D, N extends string> =
  N extends Key<Channels<D>>
    ? Channels<D>[N]
    : Joined<{ [P in Key<Channels<D>>]: N extends Matched<P> ? Channels<D>[P] : never }[Key<Channels<D>>]>;

type NamesOf<Schemas> = "*" extends Key<Schemas> ? string : Key<Schemas>;
type DataOf<Schemas, E> = E extends keyof Schemas
  ? SchemaInput<Schemas[E]>
  : "*" extends keyof Schemas
    ? SchemaInput<Schemas["*"]>
    : never;

/** The names of the declared channels; a pattern counts as each name that it matches. */
export type ChannelName<D> = Matched<Key<Channels<D>>>;
/** The names of the events of channel `N`. */
export type EventName<D, N extends string> = NamesOf<SchemasOf<D, N>>;
/**
 * What is published as event `E` in channel `N`, and what its subscribers get: the schema's input. Nothing is transformed on the way,
 * so defaults and conversions of a schema have no effect on it.
 */
export type EventData<D, N extends string, E extends string> = DataOf<SchemasOf<D, N>, E>;
export type UserEventName<D> = NamesOf<Part<D, "user">>;
/** As `EventData`. */
export type UserEventData<D, E extends string> = DataOf<Part<D, "user">, E>;
export type CallName<D> = Key<Calls<D>>;
/** What a client passes. */
export type CallInput<D, C extends string> = C extends keyof Calls<D> ? SchemaInput<InputSchema<Calls<D>[C]>> : never;
/** What a client gets: the server answers with the output of the schema. */
export type CallOutput<D, C extends string> = C extends keyof Calls<D>
  ? SchemaOutput<OutputSchema<Calls<D>[C]>>
  : never;
/** What the server's handler gets: the server passes it the output of the schema, which has defaults and conversions applied. */
export type HandlerInput<D, C extends string> = C extends keyof Calls<D>
  ? SchemaOutput<InputSchema<Calls<D>[C]>>
  : never;
/** What the server's handler returns. */
export type HandlerOutput<D, C extends string> = C extends keyof Calls<D>
  ? SchemaInput<OutputSchema<Calls<D>[C]>>
  : never;
/** The `info` of a member. */
export type MemberInfo<D> = D extends { readonly member: infer S } ? SchemaInput<S> : unknown;
/** The `state` of a member. */
export type MemberState<D> = D extends { readonly memberState: infer S } ? SchemaInput<S> : unknown;

type InputSchema<C> = C extends { readonly input: infer S } ? S : never;
type OutputSchema<C> = C extends { readonly output: infer S } ? S : undefined;
