/** The native protocol's frames, byte for byte, both ways. A change here is a change of the protocol. */

import { describe, expect, test } from "bun:test";
import { DISCONNECTS, Disconnect, type DisconnectCode } from "../../../packages/server/src/domain/error.ts";
import type { Command, Push } from "../../../packages/server/src/domain/message.ts";
import { nativeProtocol } from "../../../packages/server/src/protocols/native/codec.ts";
import closings from "../../fixtures/frames/native/closings.json";
import commands from "../../fixtures/frames/native/commands.json";
import pushes from "../../fixtures/frames/native/pushes.json";
import refusals from "../../fixtures/frames/native/refusals.json";
import { pushOf, type Refusal, refusalOf } from "../golden.ts";

const protocol = nativeProtocol({ jsonDepth: 8 });

/** The compiler asks for each, so that no variant goes without a frame. */
const COMMANDS: Record<Command["type"], true> = {
  subscribe: true,
  unsubscribe: true,
  publish: true,
  presence: true,
  history: true,
  signin: true,
  call: true,
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
    expect(Array.from(new Set(commands.map(({ command }) => command.type))).sort()).toEqual(kindsOf(COMMANDS));
  });
});

describe("a frame that is no command", () => {
  test.each(refusals.map(({ name, frame, error }) => [name, frame, error] as const))("%s", (_, frame, error) => {
    const { code, message, about } = refusalOf(protocol, frame);
    expect({ code, message, ...(about && { about }) }).toStrictEqual(error as Refusal);
  });

  test("is refused when it is binary, even where its bytes are a command", () => {
    const { code, message } = refusalOf(protocol, new TextEncoder().encode('{"event":"ping"}'));
    expect([code, message]).toEqual(["malformed", "Binary frames are not supported; send JSON text."]);
  });
});

describe("a frame of the server's", () => {
  test.each(pushes.map(({ name, push, frame }) => [name, push, frame] as const))("%s", (_, push, frame) => {
    expect(protocol.encode(pushOf(push)) ?? null).toBe(frame);
  });

  test("is there for every push", () => {
    expect(Array.from(new Set(pushes.map(({ push }) => push.type))).sort()).toEqual(kindsOf(PUSHES));
  });
});

describe("a farewell", () => {
  test.each(closings.map(({ frame, ...end }) => [codeOf(frame), frame, end] as const))("%s", (code, frame, end) => {
    expect(protocol.encodeClose(new Disconnect(code, "Why."))).toEqual({ frame, ...end });
  });

  test("a farewell to many says when this one is to come back", () => {
    const { frame } = protocol.encodeClose(new Disconnect("shutdown", "Why.", 120));
    expect(frame).toBe('{"event":"closing","code":"shutdown","message":"Why.","reconnect":"now","afterMs":120}');
  });

  test("is there for every reason", () => {
    expect(closings.map(({ frame }) => codeOf(frame)).sort()).toEqual(kindsOf(DISCONNECTS) as DisconnectCode[]);
  });

  test("has a close code whose class says what `reconnect` says", () => {
    const classes = closings.map(({ code, frame }) => [Math.floor(code / 100), JSON.parse(frame).reconnect].join(" "));
    expect(Array.from(new Set(classes)).sort()).toEqual(["40 never", "41 later", "42 now"]);
  });
});

function codeOf(frame: string): DisconnectCode {
  return JSON.parse(frame).code;
}

function kindsOf(table: object): string[] {
  return Object.keys(table).sort();
}
