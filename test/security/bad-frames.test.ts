/**
 * Frames that no client would send, without any credentials: each is answered by an error or a close of its protocol, another
 * client still works after each, and nothing is reported as a fault of the server. Scenarios 52 and 67.
 */

import { afterEach, describe, expect, test } from "bun:test";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";
import type { TestFrame } from "../support/socket.ts";
import { faultsOf } from "./faults.ts";

const server = await startServer(
  { limits: { frameBytes: 65_536 } },
  { anonymous: true, limits: { clientEventsPerSecond: 1_000_000, subscribesPerSecond: 1_000_000 } },
);
const { url } = server;
const faults = faultsOf(server);

const CLIENTS = [
  ["Pusher", connectPusher, "pusher:subscribe", "pusher:ping"],
  ["native", connectNative, "subscribe", "ping"],
] as const;

afterEach(() => {
  expect(faults.splice(0)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

/** Any frame by which either protocol says no. */
const isRefusal = ({ event }: TestFrame) =>
  event === "pusher:error" || event === "pusher:subscription_error" || event === "error";

const DEEP = 100_000;
const POLLUTION = '{"polluted":true}';

function badFrames(subscribe: string): readonly (string | Uint8Array<ArrayBuffer>)[] {
  return [
    ..."|null|true|1|-0|1e999|\"text\"|[]|[[]]|{}|{|}|[1,2|undefined|NaN|'x'|{'event':1}|\u0000|\ufeff{}".split("|"),
    '{"event":null}',
    '{"event":1}',
    '{"event":{}}',
    '{"event":["subscribe"]}',
    '{"event":""}',
    '{"event":"no such event"}',
    '{"event":"__proto__"}',
    '{"event":"constructor"}',
    '{"event":"toString","data":{}}',
    '{"event":"hasOwnProperty","data":null}',
    '{"event":"pusher_internal:subscription_succeeded","data":{}}',
    '{"Event":"ping"}',
    `{"__proto__":{"event":"${subscribe}"}}`,
    ...[
      "",
      ',"data":null',
      ',"data":1',
      ',"data":[]',
      ',"data":true',
      ',"data":"text"',
      ',"data":"null"',
      ',"data":"[1]"',
      ',"data":{}',
      ',"data":{"channel":null}',
      ',"data":{"channel":1}',
      ',"data":{"channel":{}}',
      ',"data":{"channel":["c"]}',
      ',"data":{"channel":""}',
      ',"data":{"channel":"\\u0000"}',
      ',"data":{"channel":"\\ud800"}',
      ',"data":{"channel":"a\\nb"}',
      ',"data":{"channel":"private-x","auth":1}',
      ',"data":{"channel":"private-x","auth":{}}',
      ',"data":{"channel":"private-x","auth":":"}',
      ',"data":{"channel":"private-x","auth":"x:","channel_data":1}',
      ',"data":{"channel":"presence-x","auth":"x:y","channel_data":"{"}',
      `,"data":{"__proto__":${POLLUTION}}`,
      ',"data":{"__proto__":{"channel":"c"}}',
      `,"data":{"channel":"presence-x","auth":"x:y","__proto__":${POLLUTION},"constructor":{"prototype":${POLLUTION}}}`,
      `,"data":${"[".repeat(DEEP / 4)}`,
    ].map((rest) => `{"event":"${subscribe}"${rest}}`),
    `{"event":"client-x","__proto__":${POLLUTION}}`,
    '{"event":"client-x","channel":1,"data":{}}',
    '{"event":"client-x","channel":"c","data":null}',
    '{"event":"client-\\ud800","channel":"c","data":"\\udfff"}',
    "[".repeat(60_000),
    '{"a":'.repeat(10_000),
    `{"event":"${"x".repeat(60_000)}"}`,
    `"${"\\u0000".repeat(10_000)}"`,
    new Uint8Array(),
    new Uint8Array([0, 1, 2, 255]),
    new TextEncoder().encode(`{"event":"${subscribe}","data":{"channel":"c"}}`),
  ];
}

describe.each(CLIENTS)("over the %s protocol", (_, connect, subscribe, pingEvent) => {
  test("every bad frame is answered by an error, and the connection and its neighbour go on (scenario 52)", async () => {
    const [client, neighbour] = [await connect(url), await connect(url)];
    for (const frame of badFrames(subscribe)) {
      client.socket.send(frame);
      const refusal = await client.next(isRefusal).catch((error: unknown) => {
        throw new Error(`Not refused: ${String(frame).slice(0, 200)}`, { cause: error });
      });
      expect(refusal.event === "error" || typeof refusal.data === "object" || typeof refusal.data === "string").toBe(
        true,
      );
      await client.ping();
      await neighbour.ping();
    }
    expect(client.socket.unread).toEqual([]);
  });

  test("a frame of ten megabytes, and one nested a hundred thousand deep, close with 1009 and nobody else notices (scenario 58)", async () => {
    const neighbour = await connect(url);
    for (const frame of ["x".repeat(10 * 1024 * 1024), "[".repeat(DEEP), `{"event":${"[".repeat(DEEP)}`]) {
      const client = await connect(url);
      client.socket.send(frame);
      expect((await client.socket.closed).code).toBe(1009);
      await neighbour.ping();
    }
  });

  test("nesting a hundred thousand deep is refused also where frames may be that long", async () => {
    const wide = await startServer({ limits: { frameBytes: 1_048_576 } }, { anonymous: true });
    const client = await connect(wide.url);
    const ends = "]".repeat(DEEP);
    for (const frame of ["[".repeat(DEEP) + ends, `{"event":"${pingEvent}","data":${"[".repeat(DEEP)}${ends}}`]) {
      client.socket.send(frame);
      const refusal = await client.next(isRefusal);
      expect(JSON.stringify(refusal)).toContain("nested more than 32 levels deep");
      await client.ping();
    }
  });

  test("prototype keys with a valid signature stay what they are: data", async () => {
    const [client, witness] = [await connect(url), await connectPusher(url)];
    const info: object = JSON.parse(
      `{"user_id":"__proto__","user_info":{"__proto__":${POLLUTION},"constructor":{"prototype":${POLLUTION}}}}`,
    );
    const channel = `presence-proto-${connect.name}`;
    await witness.subscribe(channel, { data: { user_id: "constructor" } });
    await client.subscribe(channel, "permission" in client ? client.permission(channel, info) : { data: info });
    const added = await witness.next("pusher_internal:member_added");
    expect(String(added.data)).toContain('"__proto__":{"polluted":true}');
    const late = await connectPusher(url);
    late.sendSubscribe(channel, { data: { user_id: "toString" } });
    const { data } = await late.next("pusher_internal:subscription_succeeded");
    expect(String(data)).toContain('"ids":["constructor","__proto__","toString"]');
    expect(String(data)).toContain('"__proto__":{"__proto__":{"polluted":true}');
  });
});
