/** The Pusher protocol's frames, byte for byte, both ways. Every client out there was written against them. */

import { describe, expect, test } from "bun:test";
import { DISCONNECTS, Disconnect, type DisconnectCode } from "../../../packages/server/src/domain/error.ts";
import type { Command, Push } from "../../../packages/server/src/domain/message.ts";
import { pusherProtocol } from "../../../packages/server/src/protocols/pusher/codec.ts";
import closings from "../../fixtures/frames/pusher/closings.json";
import commands from "../../fixtures/frames/pusher/commands.json";
import pushes from "../../fixtures/frames/pusher/pushes.json";
import refusals from "../../fixtures/frames/pusher/refusals.json";
import { pushOf, refusalOf } from "../golden.ts";

const protocol = pusherProtocol({ jsonDepth: 8 });

/** The compiler asks for each, so that no variant goes without a frame. Clients of this protocol can neither call, read history nor set a state. */
const COMMANDS: Record<Exclude<Command["type"], "call" | "history" | "presence">, true> = {
  subscribe: true,
  unsubscribe: true,
  publish: true,
  signin: true,
  ping: true,
  pong: true,
};
const PUSHES: Record<Push["type"], true> = {
  event: true,
  notice: true,
  joined: true,
  left: true,
  updated: true,
  presence: true,
  count: true,
  welcome: true,
  subscribed: true,
  history: true,
  unsubscribed: true,
  published: true,
  missed: true,
  gap: true,
  "signed-in": true,
  watch: true,
  result: true,
  expiring: true,
  refused: true,
  ping: true,
  pong: true,
};

describe("a frame of a client's", () => {
  test.each(commands.map(({ name, frame, command }) => [name, frame, command] as const))("%s", (_, frame, command) => {
    expect(protocol.decode(frame)).toStrictEqual(command as Command);
  });

  test("is there for every command", () => {
    expect(typesOf(commands.map(({ command }) => command))).toEqual(Object.keys(COMMANDS).sort());
  });
});

describe("a frame that is no command", () => {
  test.each(refusals.map(({ name, frame, error }) => [name, frame, error] as const))("%s", (_, frame, error) => {
    const { code, message } = refusalOf(protocol, frame);
    expect({ code, message } as unknown).toEqual(error);
  });

  test("is refused when it is binary, even where its bytes are a command", () => {
    expect(refusalOf(protocol, new TextEncoder().encode('{"event":"pusher:ping","data":{}}')).code).toBe("malformed");
  });
});

describe("a frame of the server's", () => {
  test.each(pushes.map(({ name, push, frame }) => [name, push, frame] as const))("%s", (_, push, frame) => {
    expect(protocol.encode(pushOf(push)) ?? null).toBe(frame);
  });

  test("is there for every push", () => {
    expect(typesOf(pushes.map(({ push }) => push))).toEqual(Object.keys(PUSHES).sort());
  });

  test("has data that is a string, but for pusher:error, whose data is an object", () => {
    const frames = [...pushes, ...closings].flatMap(({ frame }) => (frame === null ? [] : JSON.parse(frame)));
    const kinds = new Set(frames.map(({ event, data }) => `${event === "pusher:error"} ${typeof data}`));
    expect([...kinds].sort()).toEqual(["false string", "true object"]);
  });
});

describe("a farewell", () => {
  test.each(closings.map(({ why, ...end }) => [why as DisconnectCode, end] as const))(
    "%s",
    (why, { code, frame, reason }) => {
      expect(protocol.encodeClose(new Disconnect(why, "Why."))).toEqual({ code, frame, reason });
    },
  );

  test("is there for every reason", () => {
    expect(closings.map(({ why }) => why).sort()).toEqual(Object.keys(DISCONNECTS).sort());
  });

  test("has a code whose class says whether to come back", () => {
    const classes = closings.map(({ why, code }) => `${Math.floor(code / 100)} ${DISCONNECTS[why as DisconnectCode]}`);
    expect([...new Set(classes)].sort()).toEqual(["40 never", "41 later", "42 now"]);
  });

  test("has a reason that fits a close frame however long the message is", () => {
    const { reason } = protocol.encodeClose(new Disconnect("internal", "x".repeat(500)));
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });
});

test.each([
  ["pusher:error", true],
  ["pusher:", true],
  ["pusher_internal:member_added", true],
  ["pusher", false],
  ["my-pusher:event", false],
  ["client-x", false],
] as const)("the event name %s is reserved: %p", (event, reserved) => {
  expect([protocol.reservesEvent(event, true), protocol.reservesEvent(event, false)]).toEqual([reserved, reserved]);
});

function typesOf(values: readonly { type: string }[]): string[] {
  return [...new Set(values.map(({ type }) => type))].sort();
}
