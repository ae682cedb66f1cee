/** The types that follow from a declaration: what must not compile is marked, and `npm run check` fails where it does compile. */

import { expect, test } from "bun:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";
import {
  type AnyDeclaration,
  type CallInput,
  type CallName,
  type CallOutput,
  type ChannelName,
  defineEvents,
  type EventData,
  type EventName,
  type HandlerInput,
  type HandlerOutput,
  type MemberInfo,
  type UserEventData,
  type UserEventName,
  unchecked,
} from "../../packages/schema/src/index.ts";
import type { events } from "./events.ts";

type D = typeof events;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles if both are one type. */
function same<A, B>(..._: Same<A, B> extends true ? [] : [never]): void {}

/** Compiled; there is nothing to run. */
function names(): void {
  const channels: ChannelName<D>[] = ["orders", "presence-room-7", `presence-room-${Math.random()}`, "room-audited"];
  // @ts-expect-error no such channel is declared
  channels.push("order");
  // @ts-expect-error a pattern does not match a part of a name
  channels.push("my-presence-room-7");
  same<EventName<D, "orders">, "paid" | "price">();
  same<EventName<D, "presence-room-7">, "message" | "client-typing">();
  same<EventName<D, `presence-room-${string}`>, "message" | "client-typing">();
  same<UserEventName<D>, "notification">();
  same<CallName<D>, "vote" | "ping">();
  // @ts-expect-error the two differ
  same<EventName<D, "orders">, "paid">();
}

function data(): void {
  same<EventData<D, "orders", "paid">, { id: string; sum: number }>();
  same<EventData<D, "orders", "price">, number>();
  same<EventData<D, "presence-room-7", "message">, { text: string }>();
  same<EventData<D, "note", "client-note">, { readonly text: string }>();
  same<EventData<D, "orders", "message">, never>();
  same<UserEventData<D, "notification">, { title: string }>();
  same<MemberInfo<D>, { name: string }>();
}

function anExactNameComesBeforePatterns(): void {
  same<EventName<D, "presence-room-lobby">, "message">();
  same<EventData<D, "presence-room-lobby", "message">, { shout: string }>();
}

function matchingPatternsAreJoined(): void {
  same<EventName<D, "presence-room-audited">, "message" | "client-typing" | "audit">();
  same<EventData<D, "presence-room-audited", "audit">, { by: string }>();
  const both = defineEvents({
    channels: { "a-*": { e: z.object({ a: z.number() }) }, "*-b": { e: z.object({ b: z.number() }) } },
  });
  const joined: EventData<typeof both, "a-b", "e"> = { a: 1, b: 2 };
  // @ts-expect-error an event of two patterns has to satisfy both
  const half: typeof joined = { a: 1 };
  void half;
}

function aStarIsEveryOtherEvent(): void {
  same<EventName<D, "legacy-1">, string>();
  same<EventData<D, "legacy-1", "known">, { n: number }>();
  same<EventData<D, "legacy-1", "anything">, unknown>();
}

/** The specification's own types and ours stand for each other. */
function schemasAreStandard(official: StandardSchemaV1<string, number>): void {
  const { calls } = defineEvents({ calls: { parse: { input: official, output: unchecked<Date>() } } });
  same<HandlerInput<{ calls: typeof calls }, "parse">, number>();
  same<CallInput<{ calls: typeof calls }, "parse">, string>();
  const ours: StandardSchemaV1<Date> = calls.parse.output;
  void ours;
}

function callsAreTypedOnBothSides(): void {
  same<CallInput<D, "vote">, { option: "a" | "b"; weight?: number | undefined }>();
  same<HandlerInput<D, "vote">, { option: "a" | "b"; weight: number }>();
  same<HandlerOutput<D, "vote">, { total: number }>();
  same<CallOutput<D, "vote">, { total: number }>();
  same<CallOutput<D, "ping">, unknown>();
  same<CallInput<D, "none">, never>();
}

function nothingIsTransformedOnTheWay(): void {
  const dates = defineEvents({
    channels: { log: { entry: z.object({ at: z.string().transform((text) => new Date(text)) }) } },
  });
  same<EventData<typeof dates, "log", "entry">, { at: string }>();
}

function whatIsLeftOutAllowsEverything(): void {
  const calls = defineEvents({ calls: { now: { input: z.null() } } });
  same<ChannelName<typeof calls>, string>();
  same<EventName<typeof calls, "any">, string>();
  same<CallName<typeof calls>, "now">();
  same<ChannelName<AnyDeclaration>, string>();
  same<EventName<AnyDeclaration, string>, string>();
  // biome-ignore lint/suspicious/noExplicitAny: it is what is expected.
  same<EventData<AnyDeclaration, string, string>, any>();
  same<MemberInfo<typeof calls>, unknown>();
}

test("the types are compiled", () => {
  const compiled = [
    names,
    data,
    anExactNameComesBeforePatterns,
    matchingPatternsAreJoined,
    aStarIsEveryOtherEvent,
    schemasAreStandard,
    callsAreTypedOnBothSides,
    nothingIsTransformedOnTheWay,
    whatIsLeftOutAllowsEverything,
  ];
  expect(compiled.every((one) => typeof one === "function")).toBe(true);
});
