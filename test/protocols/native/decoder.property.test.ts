/** Whatever a stranger sends, the decoder gives a command or a refusal, and never anything else. Seeded. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { CommandError } from "../../../packages/server/src/domain/error.ts";
import type { EventPublication } from "../../../packages/server/src/domain/message.ts";
import { payloadOf } from "../../../packages/server/src/domain/payload.ts";
import { nativeProtocol } from "../../../packages/server/src/protocols/native/codec.ts";

const SEED = 20_261_121;
const protocol = nativeProtocol({ jsonDepth: 32 });

const names = fc.constantFrom(
  "subscribe",
  "unsubscribe",
  "publish",
  "authenticate",
  "ping",
  "pong",
  "vote",
  "__proto__",
);
const anything = fc.jsonValue({ maxDepth: 4 });
const nearlyFrames = fc.record(
  {
    event: fc.oneof(names, anything),
    id: fc.oneof(fc.integer(), fc.string(), anything),
    channel: anything,
    data: fc.oneof(
      anything,
      fc.dictionary(
        fc.constantFrom("channel", "event", "data", "auth", "channel_data", "token", "__proto__"),
        anything,
      ),
    ),
  },
  { requiredKeys: [] },
);

test("random text is a command or is refused as malformed", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.json()), (frame) => isSettled(frame)),
    { seed: SEED, numRuns: 2_000 },
  );
});

test("random objects of nearly the right shape are commands or are refused as malformed", () => {
  fc.assert(
    fc.property(nearlyFrames, (frame) => isSettled(JSON.stringify(frame))),
    { seed: SEED, numRuns: 5_000 },
  );
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test("random bytes are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (frame) => decode(frame) instanceof CommandError),
    { seed: SEED },
  );
});

test("every event that is delivered is one JSON object, with the value that was published", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), anything, (event, channel, value) => {
      const push: EventPublication = { type: "event", app: "a", channel: `c${channel}`, event, data: payloadOf(value) };
      const frame = JSON.parse(protocol.encode(push) ?? "");
      expect(frame.event).toBe(event);
      expect(frame.channel).toBe(`c${channel}`);
      expect(JSON.stringify(frame.data)).toBe(JSON.stringify(value));
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

test("every object that is pushed arrives as it was, with the channel added", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), anything), (object) => {
      const { channel: _, event: __, ...whole } = object;
      const data = JSON.stringify(whole);
      const frame = protocol.encode({ type: "event", app: "a", channel: "c", event: "message", data, bare: true });
      expect(JSON.parse(frame ?? "")).toEqual(JSON.parse(JSON.stringify({ ...whole, channel: "c" })));
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

function decode(frame: string | Uint8Array): unknown {
  try {
    return protocol.decode(frame);
  } catch (error) {
    return error;
  }
}

function isSettled(frame: string): boolean {
  const outcome = decode(frame);
  if (outcome instanceof CommandError) return outcome.code === "malformed";
  return typeof outcome === "object" && outcome !== null && "type" in outcome && !(outcome instanceof Error);
}
