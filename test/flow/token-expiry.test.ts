/** Tokens that end while a client is connected, over real sockets. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { connectAs, connectNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";
import { startWorkers } from "../support/workers.ts";

setDefaultTimeout(60_000);

const STRICT = { token: { clockToleranceS: 0 } } as const;
const start = (app: Partial<AppInput> = STRICT) =>
  startServer({}, { anonymous: false, channels: [{ match: "kept*", history: {} }], ...app });

/** Tokens count in whole seconds: it lives for at least so many, in which a slow machine has to connect. */
const token = (lifeS: number, sub = "ada") =>
  makeToken({ sub, channels: ["*"], exp: Math.ceil(Date.now() / 1_000) + lifeS });

async function ending(client: NativeTestClient): Promise<void> {
  const closing = await client.next("closing", 20_000);
  expect(closing).toMatchObject({ code: "token_expired", reconnect: "never" });
  expect((await client.socket.closed).code).toBe(4009);
}

test("the client is sent word, and closed when its token has ended; members see it leave", async () => {
  const server = await start();
  const other = await connectAs(server.url, "bob", { channels: ["*"] });
  await other.subscribe("presence-room");
  const client = await connectNative(server.url, { token: await token(2) });
  await client.subscribe("presence-room");
  const { data } = await client.next("expiring");
  expect(Object(data).afterMs).toBeWithin(0, 3_001);
  await ending(client);
  expect(await other.next("member_removed")).toMatchObject({ data: { user: { id: "ada" } } });
});

test("a token that is renewed on the open connection keeps it open, one that came in the first frame too", async () => {
  const server = await start();
  const credentials = { token: await token(3) };
  const [renewing, idle] = [
    await connectNative(server.url, { credentials }),
    await connectNative(server.url, { credentials }),
  ];
  await renewing.next("expiring");
  expect(await renewing.ask("authenticate", { token: await token(600) })).toMatchObject({ event: "authenticated" });
  await ending(idle);
  await renewing.ping();
  // Its own five seconds of spreading are over, too.
  await Bun.sleep(5_000);
  await renewing.ping();
  expect(renewing.socket.frames.map(({ event }) => event)).not.toContain("closing");
});

test("who comes back with another token has missed nothing", async () => {
  const server = await start();
  const client = await connectNative(server.url, { token: await token(3) });
  const { position } = await client.subscribe("kept-room");
  const numbers = Array.from({ length: 200 }, (_, n) => n);
  const publishing = (async () => {
    for (const n of numbers) {
      await server.toChannel("kept-room").push({ event: "e", data: n });
      await Bun.sleep(40);
    }
  })();
  await ending(client);
  const heard = client.socket.frames.filter(({ event }) => event === "e");
  const back = await connectNative(server.url, { token: await token(600) });
  const answer = await back.subscribe("kept-room", { position: heard.at(-1)?.position ?? position });
  expect(answer).toMatchObject({ recovered: true });
  await publishing;
  await back.next(({ data }) => data === 199);
  const all = [...heard, ...back.socket.frames.filter(({ event }) => event === "e")];
  expect(all.map(({ data }) => Number(data))).toEqual(numbers);
});

test("an app may ignore it, and a program's own user may end, too", async () => {
  const ignoring = await start({ token: { clockToleranceS: 0, expiry: "ignore" } });
  const stays = await connectNative(ignoring.url, { token: await token(3) });
  const server = await start();
  server.setAuthenticator(() => ({ id: "cyd", expiresAtMs: Date.now() + 1_000 }));
  const client = await connectNative(server.url, { credentials: { password: "right" } });
  await client.next("expiring");
  await ending(client);
  await Bun.sleep(2_000);
  await stays.ping();
  expect(stays.socket.frames.map(({ event }) => event)).toEqual(["welcome", "pong"]);
});

test("it ends in every worker", async () => {
  const { url } = await startWorkers({ workers: 2, apps: [{ ...APP, ...STRICT, anonymous: false }] });
  const clients = await Promise.all(
    Array.from({ length: 6 }, async () => connectNative(url, { token: await token(5) })),
  );
  await Promise.all(clients.map(ending));
});
