/** Decoders give a command of a known shape or a CommandError and nothing else; encoders give JSON that says what was meant. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  COMMAND_ERRORS,
  CommandError,
  type CommandErrorCode,
  DISCONNECTS,
  Disconnect,
  type DisconnectCode,
} from "../../packages/server/src/domain/error.ts";
import { onOneLine } from "../../packages/server/src/domain/json-text.ts";
import type { Command, EventPublication, Push } from "../../packages/server/src/domain/message.ts";
import { payloadOf, payloadValue } from "../../packages/server/src/domain/payload.ts";
import type { Protocol } from "../../packages/server/src/domain/transport.ts";
import { parseUserInfo } from "../../packages/server/src/domain/user-info.ts";
import { nativeProtocol } from "../../packages/server/src/protocols/native/codec.ts";
import { pusherProtocol } from "../../packages/server/src/protocols/pusher/codec.ts";
import { recoveringPusherProtocol } from "../../packages/server/src/protocols/pusher/recovery.ts";
import { anyCommand, anyComposite, anyEvent, anyJson, anyPush, anyText, settings } from "./arbitraries.ts";

const pusher = pusherProtocol({ jsonDepth: 32 });
const recovering = recoveringPusherProtocol({ jsonDepth: 32 });
const native = nativeProtocol({ jsonDepth: 32 });
const PROTOCOLS = [
  ["Pusher", pusher],
  ["recovering Pusher", recovering],
  ["native", native],
] as const;

/** What each command consists of. A key that is not here is a fault; so is one that is missing. */
const SHAPES: Record<string, { readonly always: readonly string[]; readonly maybe: readonly string[] }> = {
  subscribe: { always: ["channel"], maybe: ["proof", "resume", "previousIds", "watch", "ref"] },
  presence: { always: ["channel", "state"], maybe: ["ref"] },
  unsubscribe: { always: ["channel"], maybe: ["ref"] },
  publish: { always: ["channel", "event", "data"], maybe: ["key", "ref"] },
  signin: { always: ["by"], maybe: ["ref"] },
  call: { always: ["event", "data"], maybe: ["ref"] },
  ping: { always: [], maybe: ["ref"] },
  pong: { always: [], maybe: [] },
};

function expectCommand(command: Command): void {
  const { type, ...rest } = command;
  const shape = SHAPES[type];
  if (!shape) throw new Error(`There is no command ${type}`);
  const keys = Object.keys(rest);
  expect(shape.always.filter((key) => !keys.includes(key))).toEqual([]);
  expect(keys.filter((key) => !shape.always.includes(key) && !shape.maybe.includes(key))).toEqual([]);
  for (const key of ["channel", "event"]) if (key in rest) expect(rest[key as never]).toBeString();
  if (type === "publish") expect(command.data).toBeString();
  if (type === "subscribe" && command.proof) expect(command.proof.auth).toBeString();
  if ("ref" in rest) expect(["string", "number"]).toContain(typeof rest.ref);
  expect(Object.getPrototypeOf(command)).toBe(Object.prototype);
}

const eventNames = fc.constantFrom(
  ..."subscribe unsubscribe publish presence authenticate ping pong vote client-x pusher:subscribe pusher:unsubscribe".split(
    " ",
  ),
  ..."pusher:signin pusher:ping pusher:pong pusher_internal:x pusher:x __proto__".split(" "),
);
const members = fc.constantFrom(
  "channel",
  "event",
  "data",
  "auth",
  "channel_data",
  "position",
  "recover",
  "previousIds",
  "previous_socket_ids",
  "idempotencyKey",
  "afterKey",
  "presence",
  "state",
  "token",
  "user_data",
  "__proto__",
  "id",
);
const nearlyFrame = fc
  .record(
    {
      event: fc.oneof({ weight: 9, arbitrary: eventNames }, anyJson),
      id: anyJson,
      channel: fc.oneof(anyText, anyJson),
      data: fc.oneof(
        fc.dictionary(members, fc.oneof(anyText, anyJson)),
        fc.dictionary(members, anyText).map((value) => JSON.stringify(value)),
        anyJson,
      ),
    },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value));
const rightFrame = fc
  .record(
    {
      event: eventNames,
      channel: anyText,
      id: fc.oneof(fc.nat(), anyText),
      data: fc.record(
        { channel: anyText, auth: anyText, channel_data: anyText, token: anyText, user_data: anyText, data: anyJson },
        { requiredKeys: ["channel", "auth"] },
      ),
    },
    { requiredKeys: ["event", "channel", "data"] },
  )
  .map((value) => JSON.stringify(value));
const mutatedFrame = fc
  .tuple(fc.oneof(rightFrame, nearlyFrame), fc.nat(), fc.nat(3), anyText)
  .map(
    ([text, at, cut, extra]) =>
      text.slice(0, at % (text.length + 1)) + extra + text.slice((at % (text.length + 1)) + cut),
  );
const anyFrame = fc.oneof(rightFrame, nearlyFrame, mutatedFrame, fc.json(), anyText, fc.uint8Array({ maxLength: 60 }));

describe.each(PROTOCOLS)("the %s decoder", (_, protocol) => {
  test("gives a command of a known shape, or throws CommandError, for whatever comes", () => {
    let [commands, refusals] = [0, 0];
    fc.assert(
      fc.property(anyFrame, (frame) => {
        try {
          expectCommand(protocol.decode(frame));
          commands++;
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
          expect(error.code in COMMAND_ERRORS).toBe(true);
          expect(error.message).not.toBe("");
          refusals++;
        }
      }),
      settings(3_000),
    );
    // Both have to have happened often, or the frames were too far from, or too near to, what is right.
    expect(Math.min(commands, refusals)).toBeGreaterThan(200);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

test("a command that the native protocol can say is read back as it was", () => {
  fc.assert(
    fc.property(anyCommand, (command) => {
      const frame = nativeFrame(command);
      if (frame === undefined) return;
      expect(native.decode(JSON.stringify(frame))).toEqual(JSON.parse(JSON.stringify(command)));
    }),
    settings(2_000),
  );
});

test("a command that the Pusher protocol can say is read back as it was, its data as an object or as text", () => {
  fc.assert(
    fc.property(anyCommand, fc.boolean(), (command, asText) => {
      const frame = pusherFrame(command);
      if (!frame) return;
      const { ref: _, ...known } = command as { ref?: unknown };
      const data =
        asText && "data" in frame && typeof frame.data === "object" ? JSON.stringify(frame.data) : frame.data;
      expect(pusher.decode(JSON.stringify({ ...frame, data }))).toEqual(known as Command);
    }),
    settings(2_000),
  );
});

test("whatever Pusher clients are told is an event whose data is text, except for errors, where it is an object", () => {
  fc.assert(
    fc.property(anyPush, (push) => {
      const frame = pusher.encode(push);
      if (frame === undefined) return;
      const { event, data, ...rest } = JSON.parse(frame) as Record<string, unknown>;
      expect(event).toBeString();
      expect(data).toBeString();
      expect(Object.keys(rest).filter((key) => key !== "channel" && key !== "user_id")).toEqual([]);
      if (push.type !== "event") JSON.parse(String(data));
      if ("channel" in push) expect(rest.channel).toBe(push.channel as never);
    }),
    settings(2_000),
  );
});

test("a client that recovers is told the same, and beside it nothing but where it stands", () => {
  fc.assert(
    fc.property(anyPush, (push) => {
      const [told, more] = [pusher.encode(push), recovering.encode(push)];
      if (push.type === "gap") return expect(told).toBeUndefined();
      if (told === undefined) return expect(more).toBeUndefined();
      const { position, recovered, recover, ...rest } = JSON.parse(more ?? "");
      expect(rest).toEqual(JSON.parse(told));
      expect(position).toEqual(push.type === "event" || push.type === "subscribed" ? push.position : undefined);
      expect([recovered, recover]).toEqual([
        push.type === "subscribed" ? push.recovered : undefined,
        push.type === "welcome" || undefined,
      ]);
    }),
    settings(2_000),
  );
});

test("what a client that recovers says of the past is read back as it was", () => {
  fc.assert(
    fc.property(anyCommand, (command) => {
      if (command.type !== "subscribe" || command.watch || command.proof?.auth === "") return;
      const { ref: _, resume, previousIds, ...known } = command;
      const frame = pusherFrame(known) as { data: object };
      const past = resume && (resume === "kept" ? { recover: true } : { position: resume });
      const data = { ...frame.data, ...past, ...(previousIds && { previous_socket_ids: previousIds }) };
      const about = { ...(resume && { resume }), ...(previousIds && { previousIds }) };
      expect(recovering.decode(JSON.stringify({ ...frame, data }))).toEqual({ ...known, ...about });
    }),
    settings(2_000),
  );
});

test("whatever native clients are told is one JSON object with an event that is text", () => {
  fc.assert(
    fc.property(anyPush, (push) => {
      const frame = native.encode(push);
      if (frame !== undefined) expect((JSON.parse(frame) as { event: unknown }).event).toBeString();
    }),
    settings(2_000),
  );
});

test("no frame has a line end in it, so that reading line by line makes no two of one", () => {
  for (const [, protocol] of PROTOCOLS) {
    fc.assert(
      fc.property(anyPush, (push) => {
        expect(protocol.encode(push) ?? "").not.toMatch(/[\r\n]/);
      }),
      settings(2_000),
    );
    const forged: Push = { type: "event", app: "a", channel: "c", event: "e", data: '[1,\n{"event":"closing"}\n]' };
    for (const bare of [{}, { bare: true } as const]) {
      expect(protocol.encode({ ...forged, data: `{"a":${forged.data}}`, ...bare })).not.toMatch(/[\r\n]/);
    }
  }
});

test("what others see of a member stays in both protocols as it was written", () => {
  fc.assert(
    fc.property(anyText, anyComposite.map(onOneLine), (id, text) => {
      const member = { id, ...parseUserInfo(text) };
      const about = { channel: "presence-c", app: "a" };
      const pushes: Push[] = [
        { type: "joined", ...about, member },
        { type: "subscribed", channel: "presence-c", members: [member] },
        { type: "signed-in", user: member, userData: text },
        {
          type: "welcome",
          connection: "1.1",
          user: member,
          activityTimeoutS: 30,
          frameBytes: 1,
          limits: {},
          serverTimeMs: 1,
        },
      ];
      for (const push of pushes) {
        expect(native.encode(push)).toContain(`{"id":${JSON.stringify(id)},"info":${text}}`);
        if (push.type === "joined" || push.type === "subscribed") expect(pusherData(push)).toContain(`:${text}}`);
      }
    }),
    settings(1_000),
  );
});

function pusherData(push: Push): string {
  return (JSON.parse(pusher.encode(push) ?? "") as { data: string }).data;
}

test("an event reaches both protocols with the same name, channel and value", () => {
  fc.assert(
    fc.property(anyEvent, (push: EventPublication) => {
      const forPusher = JSON.parse(pusher.encode(push) ?? "") as Record<string, unknown>;
      const forNative = JSON.parse(native.encode(push) ?? "") as Record<string, unknown>;
      expect(forPusher).toMatchObject({ event: push.event, channel: push.channel, data: push.data });
      expect(forNative).toMatchObject({ event: push.event, channel: push.channel });
      expect(JSON.stringify(forNative.data)).toBe(JSON.stringify(payloadValue(push.data)));
      if (push.from && push.channel.startsWith("presence-")) expect(forPusher.user_id).toBe(push.from.user);
    }),
    settings(2_000),
  );
});

test("every value has one payload, and every payload one value", () => {
  fc.assert(
    fc.property(fc.oneof(anyJson, anyText), (value) => {
      expect(JSON.stringify(payloadValue(payloadOf(value)))).toBe(JSON.stringify(value));
    }),
    settings(2_000),
  );
});

test("every refusal and every farewell is JSON in both protocols, with the message as it is", () => {
  const codes = fc.constantFrom(...(Object.keys(COMMAND_ERRORS) as CommandErrorCode[]));
  const farewells = fc.constantFrom(...(Object.keys(DISCONNECTS) as DisconnectCode[]));
  fc.assert(
    fc.property(
      codes,
      farewells,
      anyText,
      fc.option(anyCommand, { nil: undefined }),
      (code, farewell, message, command) => {
        const push: Push = { type: "refused", error: new CommandError(code, message), ...(command && { command }) };
        expect(JSON.parse(native.encode(push) ?? "")).toMatchObject({ event: "error", code, message });
        const told = JSON.parse(pusher.encode(push) ?? "") as { event: string; data: unknown };
        if (told.event === "pusher:error") expect(told.data).toMatchObject({ message });
        else expect(JSON.parse(String(told.data))).toMatchObject({ error: message, code });
        for (const [, protocol] of PROTOCOLS) {
          const closing = protocol.encodeClose(new Disconnect(farewell, message));
          expect(JSON.stringify(JSON.parse(closing.frame ?? ""))).toContain(JSON.stringify(message).slice(1, -1));
          expect(closing.code).toBeWithin(4000, 4300);
        }
      },
    ),
    settings(1_000),
  );
});

/** Undefined where the protocol has no such frame: some names mean something else, an empty auth means none. */
function nativeFrame(command: Command): object | undefined {
  const id = "ref" in command && command.ref !== undefined ? { id: command.ref } : {};
  switch (command.type) {
    case "subscribe": {
      const { channel, proof, resume, previousIds, watch } = command;
      if (proof?.auth === "") return undefined;
      const permission = proof && { auth: proof.auth, ...(proof.data !== undefined && { channel_data: proof.data }) };
      const past = resume && (resume === "kept" ? { recover: true } : { position: resume });
      return {
        event: "subscribe",
        ...id,
        data: { channel, ...permission, ...past, previousIds, ...(watch && { presence: "watch" }) },
      };
    }
    case "unsubscribe":
      return { event: "unsubscribe", ...id, data: { channel: command.channel } };
    case "publish":
      return {
        event: "publish",
        ...id,
        data: {
          channel: command.channel,
          event: command.event,
          data: payloadValue(command.data),
          idempotencyKey: command.key,
          afterKey: command.afterKey,
        },
      };
    case "presence":
      return {
        event: "presence",
        ...id,
        data: { channel: command.channel, state: command.state === null ? null : JSON.parse(command.state) },
      };
    case "history": {
      const { type: _, ref: __, ...data } = command;
      return { event: "history", ...id, data };
    }
    case "signin":
      return command.by.type === "token"
        ? { event: "authenticate", ...id, data: { token: command.by.token } }
        : undefined;
    case "call":
      return { event: command.event, ...id, data: command.data };
    case "ping":
      return { event: "ping", ...id };
    case "pong":
      return { event: "pong" };
  }
}

function pusherFrame(command: Command): { event: string; channel?: string; data?: unknown } | undefined {
  switch (command.type) {
    case "subscribe": {
      const { channel, proof, resume, previousIds, watch } = command;
      if (proof?.auth === "" || resume || previousIds || watch) return undefined;
      const permission = proof && { auth: proof.auth, ...(proof.data !== undefined && { channel_data: proof.data }) };
      return { event: "pusher:subscribe", data: { auth: "", channel, ...permission } };
    }
    case "unsubscribe":
      return { event: "pusher:unsubscribe", data: { channel: command.channel } };
    case "publish":
      return command.event.startsWith("client-") && command.key === undefined ? { ...command } : undefined;
    case "signin": {
      const { by } = command;
      return by.type === "signature"
        ? { event: "pusher:signin", data: { auth: by.auth, user_data: by.userData } }
        : undefined;
    }
    case "ping":
    case "pong":
      return { event: `pusher:${command.type}`, data: {} };
    case "call":
    case "presence":
    case "history":
      return undefined;
  }
}

describe("a frame as libraries write it", () => {
  /** Spaces keep their meaning between the tokens of JSON, and away from what is read at one glance. */
  const outcome = (protocol: Protocol, frame: string) => {
    try {
      return protocol.decode(frame);
    } catch (error) {
      if (error instanceof CommandError) return { code: error.code, message: error.message, about: error.about };
      throw error;
    }
  };
  const sameSpaced = (protocol: Protocol, frame: string) =>
    expect(outcome(protocol, frame)).toEqual(outcome(protocol, ` ${frame}`));

  const names = fc.oneof(fc.constantFrom("client-x", "private-c", "", "a", "client-"), anyText);
  /** Of objects of the kind that is not parsed, and what is nearly of it. */
  const plainTexts = fc.constantFrom(
    '"text"',
    '""',
    '"\u2028\u007f"',
    '"{,:}"',
    '"a\\n"',
    '"\n"',
    '"\u0000"',
    "'x'",
    "x",
  );
  const plainValues = fc.constantFrom(
    "0",
    "-1.50",
    "10",
    "-0",
    "01",
    "1.",
    ".5",
    "-",
    "1e3",
    "+1",
    "1 ",
    "true",
    "null",
    "nul",
  );
  const valueTexts = fc.oneof(
    anyJson.map((value) => JSON.stringify(value)),
    fc.constantFrom(
      "null",
      "1.0",
      "12345678901234567890",
      '{"a":\n1}',
      ' {"a":1}',
      "{} ",
      "",
      '"',
      "1,2",
      "{}}",
      '1,"event":"client-y"',
    ),
    fc.array(fc.tuple(plainTexts, fc.oneof(plainTexts, plainValues)), { maxLength: 4 }).map((members) => {
      return `{${members.map(([key, value]) => `${key}:${value}`).join()}}`;
    }),
    fc.constantFrom('{"channel":"c"}', '"x","channel":"d"', `${"[".repeat(31)}${"]".repeat(31)}`, "[".repeat(90)),
    anyText,
  );
  const ids = fc.constantFrom(
    "",
    '"id":7,',
    '"id":0,',
    '"id":07,',
    '"id":"a",',
    '"id":1e3,',
    '"id":null,',
    '"id":-1,',
    '"id":,',
  );
  const quote = JSON.stringify;
  const pusherFrames = fc.tuple(names, names, valueTexts, fc.boolean()).map(([name, channel, data, isChannelFirst]) => {
    const head = `{"event":${quote(`client-${name}`)}`;
    return isChannelFirst
      ? `${head},"channel":${quote(channel)},"data":${data}}`
      : `${head},"data":${data},"channel":${quote(channel)}}`;
  });
  const nativeFrames = fc.tuple(ids, names, names, valueTexts).map(([id, channel, event, data]) => {
    return `{"event":"publish",${id}"data":{"channel":${quote(channel)},"event":${quote(event)},"data":${data}}}`;
  });
  /** One character less, or another one in its place. */
  const damaged = (frames: fc.Arbitrary<string>) =>
    fc
      .tuple(frames, fc.nat(), fc.constantFrom("", '"', "\\", "{", "}", ",", ":", "\n", "\u0000", " ", "x"))
      .map(([frame, place, other]) => {
        const at = place % frame.length;
        return frame.slice(0, at) + other + frame.slice(at + 1);
      });

  test.each([
    ["Pusher", pusher, pusherFrames],
    ["native", native, nativeFrames],
  ] as const)("is understood as any other that says the same: %s", (_, protocol, frames) => {
    fc.assert(
      fc.property(fc.oneof(frames, damaged(frames)), (frame) => void sameSpaced(protocol, frame)),
      settings(2_000),
    );
  });

  test("keeps numbers as they were written", () => {
    const data = '{"n":12345678901234567890,"one":1.0}';
    expect(pusher.decode(`{"event":"client-x","data":${data},"channel":"private-c"}`)).toMatchObject({ data });
    expect(pusher.decode(`{"event":"client-x","channel":"private-c","data":${data}}`)).toMatchObject({ data });
    const publish = `{"event":"publish","id":7,"data":{"channel":"c","event":"e","data":${data}}}`;
    expect(native.decode(publish)).toEqual({ type: "publish", channel: "c", event: "e", data, ref: 7 });
  });
});
