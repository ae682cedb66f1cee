/** Connections that end: the back end says until when they last, is asked before that, and is told afterwards. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { startBackEnd } from "../support/back-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(60_000);

const inSeconds = (seconds: number) => Date.now() / 1_000 + seconds;

test("what connect says ends when it says so, for clients of both protocols, with a user and without", async () => {
  const backEnd = startBackEnd({
    connect: ({ query }) => ({ ...(Object(query).as && { user: { id: "ada" } }), expires_at: inSeconds(1) }),
  });
  const token = { clockToleranceS: 0 };
  const server = await startServer({}, { anonymous: true, token, hooks: { url: backEnd.url, connect: true } });
  const clients = [await connectPusher(server.url), await connectPusher(server.url, { query: "protocol=7&as=ada" })];
  const native = await connectNative(server.url);
  expect((await native.next("closing")).code).toBe("token_expired");
  for (const { socket } of clients) expect((await socket.closed).code).toBe(4009);
});

test("refresh: asked before a token ends, it goes on, for as long as it says; then it says no", async () => {
  let asked = 0;
  const backEnd = startBackEnd({
    connect: () => ({ user: { id: "ada" }, expires_at: inSeconds(1), meta: { n: 0 } }),
    refresh: () => (++asked < 3 ? { expires_at: inSeconds(1), meta: { n: asked } } : { refuse: { message: "Over." } }),
  });
  const hooks = { url: backEnd.url, connect: true, refresh: true };
  const server = await startServer({}, { token: { clockToleranceS: 0 }, hooks });
  const client = await connectNative(server.url);
  expect(await client.next("closing", 30_000)).toMatchObject({ code: "token_expired", message: "Over." });
  expect(client.socket.frames.map(({ event }) => event)).toEqual(["welcome", "closing"]);
  const metas = backEnd.of("refresh").map(({ connection, user }) => [connection.meta, user?.id]);
  expect(metas).toEqual([0, 1, 2].map((n) => [{ n }, "ada"]));
});

test("refresh: while the back end is down a connection goes on after its token's end", async () => {
  const backEnd = startBackEnd({ refresh: () => 500 });
  const server = await startServer({}, { token: { clockToleranceS: 0 }, hooks: { url: backEnd.url, refresh: true } });
  const token = await makeToken({ sub: "ada", exp: Math.ceil(inSeconds(1)) });
  const client = await connectNative(server.url, { token });
  await eventually(() => expect(backEnd.of("refresh")).not.toEqual([]));
  await client.silence(3_000, "closing");
  await client.ping();
});

test("disconnect: told in a signed request, again until it is taken, with who it was and why", async () => {
  let asked = 0;
  const backEnd = startBackEnd({
    connect: () => ({ user: { id: "ada", info: { n: 1 } }, meta: "m" }),
    disconnect: () => (++asked === 1 ? 503 : 204),
  });
  const hooks = { url: backEnd.url, connect: true, disconnect: true };
  const server = await startServer({}, { hooks });
  const client = await connectNative(server.url);
  await client.close();
  await eventually(() => expect(backEnd.of("disconnect")).toHaveLength(2));
  const [first, second] = backEnd.of("disconnect");
  expect(second).toEqual(first as NonNullable<typeof first>);
  expect(first).toMatchObject({
    ...{ app: APP.id, user: { id: "ada", info: { n: 1 } }, code: 1000, why: null, seconds: expect.any(Number) },
    connection: { id: client.id, address: "127.0.0.1", protocol: "native", meta: "m" },
  });
  expect(backEnd.unsigned).toEqual([]);
});
