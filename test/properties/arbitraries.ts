/** What the property tests draw from, and the one seed they draw with: printed, so that a failure comes back. */

import fc from "fast-check";
import { onOneLine } from "../../packages/server/src/domain/json-text.ts";
import type { Command, Credentials, EventPublication, Member, Push } from "../../packages/server/src/domain/message.ts";
import { parseUserInfo } from "../../packages/server/src/domain/user-info.ts";

const SEED = 20_261_121;
console.log(`Property tests: seed ${SEED}`);

export function settings(numRuns: number): { seed: number; numRuns: number } {
  return { seed: SEED, numRuns };
}

/** Text of anything: control characters, lone surrogates, quotes, and names that mean something to JavaScript. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "toString",
    "",
    '"',
    "\\",
    "\u0000",
    "\ud800",
    "\u2028",
    "null",
    "1",
    "{}",
  ),
);
export const anyJson = fc.jsonValue({ maxDepth: 4 });
const anyRef = fc.oneof(fc.integer(), fc.string({ maxLength: 64 }));

const withRef = fc.oneof(
  fc.constant({}),
  anyRef.map((ref) => ({ ref })),
);
const proof = fc.oneof(
  anyText.map((auth) => ({ auth })),
  fc.record({ auth: anyText, data: anyText }),
);
const credentials: fc.Arbitrary<Credentials> = fc.oneof(
  fc.record({ type: fc.constant("signature" as const), auth: anyText, userData: anyText }),
  fc.record({ type: fc.constant("token" as const), token: anyText }),
);

/** Every command there is, whether or not a protocol can say it. */
const position = fc.record({ epoch: fc.string({ maxLength: 64 }), offset: fc.maxSafeNat() });

/** Of a member: JSON text, or null where it has none. */
const anyState = anyJson.map((value) => (value === null ? null : JSON.stringify(value)));

export const anyCommand: fc.Arbitrary<Command> = fc
  .tuple(
    fc.oneof(
      fc.record({ type: fc.constant("subscribe" as const), channel: anyText }),
      fc.record({ type: fc.constant("subscribe" as const), channel: anyText, proof }),
      fc.record({
        type: fc.constant("subscribe" as const),
        channel: anyText,
        resume: fc.oneof(position, fc.constant("kept" as const)),
      }),
      fc.record({
        type: fc.constant("subscribe" as const),
        channel: anyText,
        resume: position,
        previousIds: fc.array(fc.string({ maxLength: 64 }), { minLength: 1, maxLength: 8 }),
      }),
      fc.record({ type: fc.constant("unsubscribe" as const), channel: anyText }),
      fc.record(
        {
          type: fc.constant("history" as const),
          channel: anyText,
          after: position,
          before: position,
          limit: fc.integer(),
          previousIds: fc.array(fc.string({ maxLength: 64 }), { minLength: 1, maxLength: 8 }),
        },
        { requiredKeys: ["type", "channel"] },
      ),
      fc.record({ type: fc.constant("publish" as const), channel: anyText, event: anyText, data: anyText }),
      fc.record({
        type: fc.constant("publish" as const),
        channel: anyText,
        event: anyText,
        data: anyText,
        key: anyText,
      }),
      fc.record({ type: fc.constant("presence" as const), channel: anyText, state: anyState }),
      fc.record({ type: fc.constant("subscribe" as const), channel: anyText, watch: fc.constant(true as const) }),
      fc.record({ type: fc.constant("signin" as const), by: credentials }),
      fc.record({ type: fc.constant("call" as const), event: anyText, data: anyJson }),
      fc.record({ type: fc.constant("ping" as const) }),
    ),
    withRef,
  )
  .map(([command, ref]) => ({ ...command, ...ref }));

// ---- JSON as text, in spellings that JSON.stringify has not

const spaces = fc.constantFrom("", "", " ", "\n", "\r\n", "\t ");
const stringToken = fc
  .array(fc.constantFrom(...Array.from("aZ9{}[]:, ü☃\u2028😀"), "\\u0041", "\\/", "\\n", '\\"', "\\\\", "\\ud800"), {
    maxLength: 40,
  })
  .map((parts) => `"${parts.join("")}"`);
const numberToken = fc.oneof(
  fc.constantFrom("1234567890123456789", "1.0", "-0", "0.10", "1E+2", "-12.50e-3", "1e400", "9007199254740993"),
  fc.integer().map(String),
);

/** Of an object or array; of any value with `any`. Begins and ends with a token. */
export const { composite: anyComposite, any: anyJsonText } = fc.letrec<{ composite: string; any: string }>((tie) => ({
  any: fc.oneof({ maxDepth: 3 }, numberToken, stringToken, fc.constantFrom("null", "true", "false"), tie("composite")),
  composite: fc.oneof(
    fc
      .array(fc.tuple(spaces, tie("any"), spaces), { maxLength: 5 })
      .map((items) => `[${items.map((item) => item.join("")).join()}]`),
    fc
      .array(fc.tuple(spaces, fc.oneof(stringToken, fc.constant('"data"')), spaces, spaces, tie("any"), spaces), {
        maxLength: 5,
      })
      .map((items) => `{${items.map(([a, key, b, c, value, d]) => [a, key, b, ":", c, value, d].join("")).join()}}`),
  ),
}));

// ---- what the server says

const member: fc.Arbitrary<Member> = fc.oneof(
  fc.record({ id: anyText, info: anyJson }),
  fc.record({ id: anyText, text: anyJsonText }).map(({ id, text }) => ({ id, ...parseUserInfo(onOneLine(text)) })),
);
const place = { app: fc.constant("app"), channel: anyText };

export const anyEvent: fc.Arbitrary<EventPublication> = fc.oneof(
  fc.record({ type: fc.constant("event" as const), ...place, event: anyText, data: anyText }),
  fc.record({ type: fc.constant("event" as const), ...place, event: anyText, data: anyText, position }),
  fc.record({ type: fc.constant("event" as const), ...place, event: anyText, data: anyJsonText }),
  fc.record({
    type: fc.constant("event" as const),
    ...place,
    event: anyText,
    data: anyJson.map((value) => JSON.stringify(value)),
    from: fc.record({ connection: fc.constant("1.1"), user: anyText }),
  }),
);

/** Every push there is but refusals, which need an error. */
export const anyPush: fc.Arbitrary<Push> = fc.oneof(
  anyEvent,
  fc.record({ type: fc.constant("joined" as const), ...place, member }),
  fc.record({ type: fc.constant("left" as const), ...place, member: member.map(({ id }) => ({ id })) }),
  fc.record({
    type: fc.constant("updated" as const),
    ...place,
    member: fc.record({ id: anyText, info: anyJson, state: anyState }, { requiredKeys: ["id"] }),
  }),
  fc.record({ type: fc.constant("presence" as const), channel: anyText, ref: anyRef }),
  fc.record({ type: fc.constant("count" as const), ...place, count: fc.nat() }),
  fc.record({
    type: fc.constant("welcome" as const),
    connection: fc.constant("12.34"),
    activityTimeoutS: fc.integer({ min: 1, max: 1000 }),
    frameBytes: fc.nat(),
    limits: fc.record({ eventsPerSecond: fc.nat(), channels: fc.nat() }, { requiredKeys: [] }),
    serverTimeMs: fc.nat(),
  }),
  fc.record({
    type: fc.constant("subscribed" as const),
    channel: anyText,
    members: fc.array(member, { maxLength: 5 }),
  }),
  fc.record({ type: fc.constant("subscribed" as const), channel: anyText, ref: anyRef }),
  fc.record({ type: fc.constant("subscribed" as const), channel: anyText, position, recovered: fc.boolean() }),
  fc.record({ type: fc.constant("unsubscribed" as const), channel: anyText, ref: anyRef }),
  fc.record({
    type: fc.constant("history" as const),
    channel: anyText,
    events: fc.array(anyEvent, { maxLength: 3 }),
    own: fc.array(fc.nat(), { maxLength: 3 }),
    complete: fc.boolean(),
    position,
  }),
  fc.record({ type: fc.constant("published" as const), channel: anyText, ref: anyRef }),
  fc.record({ type: fc.constant("missed" as const), channel: anyText }),
  fc.record({ type: fc.constant("gap" as const), channel: anyText }),
  fc.record({ type: fc.constant("signed-in" as const), user: member, userData: anyText, ref: anyRef }),
  fc.record({ type: fc.constant("watch" as const), online: fc.array(anyText), offline: fc.array(anyText) }),
  fc.record({ type: fc.constant("result" as const), data: anyJson, ref: anyRef }),
  fc.record({ type: fc.constant("ping" as const) }),
  fc.record({ type: fc.constant("pong" as const), ref: anyRef }),
);
