/** The frames of Pusher clients that connect with `recover=1`, byte for byte, both ways; all others get what they always got. */

import { describe, expect, test } from "bun:test";
import { Disconnect, type DisconnectCode } from "../../../packages/server/src/domain/error.ts";
import type { Command, Push } from "../../../packages/server/src/domain/message.ts";
import { pusherProtocol } from "../../../packages/server/src/protocols/pusher/codec.ts";
import { recoveringPusherProtocol } from "../../../packages/server/src/protocols/pusher/recovery.ts";
import plainCommands from "../../fixtures/frames/pusher/commands.json";
import plainPushes from "../../fixtures/frames/pusher/pushes.json";
import closings from "../../fixtures/frames/pusher-recover/closings.json";
import commands from "../../fixtures/frames/pusher-recover/commands.json";
import pushes from "../../fixtures/frames/pusher-recover/pushes.json";
import refusals from "../../fixtures/frames/pusher-recover/refusals.json";
import { pushOf, refusalOf } from "../golden.ts";

const plain = pusherProtocol({ jsonDepth: 8 });
const recovering = recoveringPusherProtocol({ jsonDepth: 8 });

describe("a frame of a client's that recovers", () => {
  test.each(commands.map(({ name, frame, command }) => [name, frame, command] as const))("%s", (_, frame, command) => {
    expect(recovering.decode(frame)).toStrictEqual(command as Command);
  });

  test("is otherwise that of any client", () => {
    for (const { frame, command } of plainCommands) expect(recovering.decode(frame)).toStrictEqual(command as Command);
  });

  test("says nothing of the past to a client that did not ask for recovery", () => {
    for (const { frame } of [...commands, ...refusals]) {
      const command = plain.decode(frame);
      expect(command).not.toHaveProperty("resume");
      expect(command).not.toHaveProperty("previousIds");
    }
  });
});

describe("a subscription that is refused for what it says of the past", () => {
  test.each(refusals.map(({ name, frame, error }) => [name, frame, error] as const))("%s", (_, frame, error) => {
    const refused = refusalOf(recovering, frame);
    expect({ code: refused.code, message: refused.message } as unknown).toEqual(error);
    const answer = JSON.parse(recovering.encode({ type: "refused", error: refused }) ?? "");
    expect(answer).toMatchObject({ event: "pusher:subscription_error", channel: "c" });
    expect(JSON.parse(answer.data)).toEqual({
      type: "SubscriptionError",
      error: error.message,
      status: 400,
      code: error.code,
    });
  });
});

describe("a frame of the server's to a client that recovers", () => {
  test.each(pushes.map(({ name, push, frame }) => [name, push, frame] as const))("%s", (_, push, frame) => {
    expect(recovering.encode(pushOf(push))).toBe(frame);
  });

  test("has its position at its end, where it can be found without parsing it", () => {
    for (const frame of pushes.map(({ frame }) => frame).filter((text) => JSON.parse(text).position)) {
      expect(frame).toMatch(/,"position":\{"epoch":"[^}]*","offset":\d+\}\}$/);
    }
  });

  test("differs from that to all others in these frames only", () => {
    const differing = plainPushes.filter(({ push, frame }) => (recovering.encode(pushOf(push)) ?? null) !== frame);
    const types = new Set(differing.map(({ push }) => (push as Push).type));
    expect([...types].sort()).toEqual(["event", "gap", "subscribed", "welcome"]);
    const events = differing.map(({ push }) => push as Push).filter(({ type }) => type === "event");
    for (const event of events) expect(event).toHaveProperty("position");
  });

  test("is, to a client that did not ask for recovery, without a position, an answer or a gap", () => {
    for (const { push } of pushes) {
      const frame = plain.encode(pushOf(push));
      expect(frame ?? "").not.toMatch(/"position"|"recovered"|"recover"|gap/);
    }
  });
});

describe("a close", () => {
  test.each(closings.map(({ name, ...closing }) => [name, closing] as const))(
    "%s",
    (_, { why, afterMs, code, frame }) => {
      const disconnect = new Disconnect(why as DisconnectCode, "Why.", afterMs);
      expect(recovering.encodeClose(disconnect)).toEqual({ code, frame, reason: "Why." });
      expect(plain.encodeClose(disconnect).frame).not.toContain("after_ms");
    },
  );
});

test("it is the same protocol, by its name", () => {
  expect([recovering.name, plain.name, plain.variant]).toEqual(["pusher", "pusher", undefined]);
});
