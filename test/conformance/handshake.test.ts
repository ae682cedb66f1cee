/** Clients that know no library: each handshake the protocol refuses is told by an error frame and by the close code. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher, dialPusher, type PusherOptions } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { APP, type AppInput, socketUrl, startServer } from "../support/server.ts";
import { connect, type TestSocket } from "../support/socket.ts";

const server = await startServer();

/** The frame comes first, its data is an object, and the close says the same number. */
async function farewellOf(socket: TestSocket): Promise<{ code: number; message: string }> {
  const { code } = await socket.closed;
  const [frame] = socket.frames;
  expect(frame).toEqual({ event: "pusher:error", data: { code, message: expect.any(String) } });
  const { message } = (frame as { data: { message: string } }).data;
  expect(socket.raw).toEqual([JSON.stringify({ event: "pusher:error", data: { code, message } })]);
  return { code, message };
}

async function refusal(url: string, options: PusherOptions): Promise<{ code: number; message: string }> {
  return farewellOf(await dialPusher(url, options));
}

test.each([
  "",
  "protocol=",
  "protocol=7",
  "protocol=5",
  "protocol=4&version=",
  "client=js&version=8.6.0",
  "version=v2.1-rc.1",
])("a client that connects with ?%s is welcome", async (query) => {
  const client = await connectPusher(server.url, { query });
  expect(client.socketId).toMatch(/^\d+\.\d+$/);
  expect(client.socket.raw).toEqual([
    `{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"${client.socketId}\\",\\"activity_timeout\\":30}"}`,
  ]);
});

test.each(["8", "3", "1", "0", "-1", "7.5", "seven", "99999999"])(
  "protocol %s is refused with 4007",
  async (number) => {
    const { code, message } = await refusal(server.url, { query: `protocol=${number}` });
    expect([code, message]).toEqual([4007, "Protocol versions 4 to 7 are supported."]);
  },
);

test.each(["banana", "%20", "..", "8.6.0%0A", "1".repeat(70)])(
  "library version %s is refused with 4006",
  async (version) => {
    expect((await refusal(server.url, { query: `protocol=7&version=${version}` })).code).toBe(4006);
  },
);

test("a missing protocol number is refused with 4008 where the server is strict, and only there", async () => {
  const strict = await startServer({ strictProtocol: true });
  expect(await refusal(strict.url, { query: "" })).toMatchObject({
    code: 4008,
    message: "No protocol version: connect with ?protocol=7 (strictProtocol).",
  });
  expect((await refusal(strict.url, { query: "client=js" })).code).toBe(4008);
  await connectPusher(strict.url, { query: "protocol=7" });
});

test("a key that is nobody's is refused with 4001", async () => {
  const { code, message } = await refusal(server.url, { app: { ...APP, key: "nobodys" } });
  expect([code, message]).toEqual([4001, "Could not find app by key nobodys."]);
});

const CLOSED_APPS: readonly [string, number, Partial<AppInput>][] = [
  ["that is disabled refuses with 4003", 4003, { enabled: false }],
  ["that wants TLS refuses plain connections with 4000", 4000, { requireTls: true }],
];

test.each(CLOSED_APPS)("an app %s", async (_, code, app) => {
  const closed = await startServer({}, app);
  expect((await refusal(closed.url, {})).code).toBe(code);
});

test("an app that wants TLS takes what a proxy says came over TLS", async () => {
  const secure = await startServer({}, { requireTls: true });
  await connectPusher(secure.url, { headers: { "X-Forwarded-Proto": "https" } });
});

test.each(["/", "/behind/a/proxy/"])(
  "a client finds its app below %s, with a slash at the end or without",
  async (before) => {
    for (const end of ["", "/"]) {
      const client = await connect(socketUrl(server.url, `${before}app/${APP.key}${end}?protocol=7`));
      expect(await client.next()).toMatchObject({ event: "pusher:connection_established" });
    }
  },
);

test.each(["/nope", "/app", "/app/", "/app//", "/apps/app", "/app/key/more"])(
  "there is no WebSocket at %s: 4005",
  async (path) => {
    expect((await farewellOf(await connect(socketUrl(server.url, path)))).code).toBe(4005);
  },
);

test("an app with as many connections as it may refuses with 4004 until one goes", async () => {
  const small = await startServer({}, { limits: { connections: 1 } });
  const first = await connectPusher(small.url);
  expect((await refusal(small.url, {})).code).toBe(4004);
  await first.close();
  await eventually(() => connectPusher(small.url));
});

test("a process with as many connections as it may refuses with 4100 until one goes", async () => {
  const small = await startServer({ limits: { connections: 1 } });
  const first = await connectPusher(small.url);
  expect((await refusal(small.url, {})).code).toBe(4100);
  await first.close();
  await eventually(() => connectPusher(small.url));
});

test("a client that is told to authenticate and does not is closed with 4009", async () => {
  const closed = await startServer({}, { requireAuthentication: true, limits: { unauthenticatedTimeoutS: 0.5 } });
  const [idle, proven] = [await connectPusher(closed.url), await connectPusher(closed.url)];
  await proven.subscribe("private-proof");
  expect((await idle.socket.closed).code).toBe(4009);
  expect(idle.socket.frames.at(-1)).toMatchObject({ event: "pusher:error", data: { code: 4009 } });
  await proven.ping();
});

test("a client that is silent even when it is asked is closed with 4201", async () => {
  const curious = await startServer({ activityTimeoutS: 1, pongTimeoutS: 0.5 });
  const client = await connectRawWebSocket(curious.url, `/app/${APP.key}?protocol=7`);
  await eventually(() => expect(client.frames.map(({ opcode }) => opcode)).toContain(OPCODE.close), {
    withinMs: 10_000,
  });
  const texts = client.frames.filter(({ opcode }) => opcode === OPCODE.text).map(({ payload }) => payload.toString());
  expect(texts.slice(1)).toEqual([
    '{"event":"pusher:ping","data":"{}"}',
    '{"event":"pusher:error","data":{"code":4201,"message":"No answer to a ping in time."}}',
  ]);
  const close = client.frames.find(({ opcode }) => opcode === OPCODE.close);
  expect(close?.payload.readUInt16BE(0)).toBe(4201);
}, 20_000);

test("clients of a server that stops are told 4200", async () => {
  const stopping = await startServer();
  const client = await connectPusher(stopping.url);
  await stopping.stop();
  expect((await client.socket.closed).code).toBe(4200);
  expect(client.socket.frames.at(-1)).toMatchObject({ event: "pusher:error", data: { code: 4200 } });
});
