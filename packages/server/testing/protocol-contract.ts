/** What a protocol has to do: decide nothing, and throw nothing but what a client may be told. */

import { CommandError, Disconnect } from "../src/domain/error.ts";
import type { Push } from "../src/domain/message.ts";
import type { Protocol } from "../src/domain/transport.ts";
import type { TestRunner } from "./runner.ts";

const GARBAGE = [
  "",
  " ",
  "{",
  "null",
  "[]",
  "{}",
  '{"event":1}',
  "\u0000",
  "x".repeat(10_000),
  new Uint8Array([0xff, 0]),
];

const CHANNEL = { app: "app", channel: "presence-room" } as const;
const PUSHES: readonly Push[] = [
  {
    type: "welcome",
    connection: "1.2",
    activityTimeoutS: 120,
    frameBytes: 1_000,
    limits: { eventBytes: 9 },
    serverTimeMs: 1,
  },
  { type: "subscribed", channel: "presence-room", members: [{ id: "1", info: null }] },
  { type: "unsubscribed", channel: "presence-room", ref: 1 },
  { type: "event", ...CHANNEL, event: "said", data: '"\\u2028 ☃"' },
  { type: "event", ...CHANNEL, event: "said", data: "no JSON", from: { connection: "1.2", user: "1" } },
  { type: "joined", ...CHANNEL, member: { id: "1", info: { name: "Ada" } } },
  { type: "left", ...CHANNEL, member: { id: "1" } },
  { type: "count", ...CHANNEL, count: 2 },
  { type: "refused", error: new CommandError("channel_full", "The channel is full.") },
  { type: "ping" },
  { type: "pong" },
];

export function protocolContract({ describe, test, expect }: TestRunner, name: string, make: () => Protocol): void {
  describe(`${name} protocol`, () => {
    test("what is no frame of it is refused with a CommandError, or understood", () => {
      const protocol = make();
      for (const frame of GARBAGE) {
        try {
          expect(typeof protocol.decode(frame).type).toBe("string");
        } catch (error) {
          expect(error instanceof CommandError).toBe(true);
        }
      }
    });

    test("everything that the server sends has a frame, or none in this protocol", () => {
      const protocol = make();
      for (const push of PUSHES) expect(["string", "undefined"]).toContain(typeof protocol.encode(push));
    });

    test("encoding keeps nothing: the same push is the same frame", () => {
      const protocol = make();
      const frames = () => PUSHES.map((push) => protocol.encode(push));
      expect(frames()).toEqual(frames());
    });

    test("every reason to disconnect has a close code that WebSocket allows", () => {
      const protocol = make();
      for (const code of ["app_unknown", "shutdown", "unauthorized", "internal", "over_capacity"] as const) {
        const frame = protocol.encodeClose(new Disconnect(code, "A sentence."));
        expect(frame.code === 1000 || (frame.code >= 3000 && frame.code <= 4999)).toBe(true);
        expect(new TextEncoder().encode(frame.reason).length).toBeLessThanOrEqual(123);
      }
    });
  });
}
