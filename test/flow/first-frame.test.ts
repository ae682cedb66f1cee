/** Clients that send their token in the first frame (`?auth=frame`), over real sockets. */

import { describe, expect, test } from "bun:test";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, dialNative, makeToken, type NativeOptions } from "../support/native-client.ts";
import { APP, type AppInput, socketUrl, startServer } from "../support/server.ts";
import { connect, type TestSocket } from "../support/socket.ts";

/** Without a first frame. */
const dial = (url: string) => connect(socketUrl(url, "/?auth=frame"));
const start = (config: ConfigInput = {}, app: Partial<AppInput> = {}) =>
  startServer(config, { anonymous: false, clientEvents: true, ...app });

async function ending(socket: TestSocket): Promise<readonly unknown[]> {
  const { event, code, reconnect } = await socket.next();
  return [event, code, reconnect, (await socket.closed).code];
}

const NEVER = (code: string) => ["closing", code, "never", 4009];

describe("a client that asks for it", async () => {
  const server = await start();

  test("is welcome as the user of the token in its first frame, and answered by nothing else", async () => {
    const socket = await dial(server.url);
    const token = await makeToken({ sub: "ada", info: { name: "Ada" }, channels: ["private-*"], watchlist: ["bob"] });
    socket.send({ event: "authenticate", id: 1, data: { token } });
    for (const id of [2, 3])
      socket.send({ event: id === 2 ? "subscribe" : "ping", id, data: { channel: "private-a" } });
    expect(await socket.next()).toMatchObject({
      event: "welcome",
      data: { user: { id: "ada", info: { name: "Ada" } } },
    });
    expect(await socket.next()).toMatchObject({ event: "watchlist", data: { online: [], offline: ["bob"] } });
    expect(await socket.next()).toMatchObject({ event: "subscribed", id: 2 });
    expect(await socket.next()).toMatchObject({ event: "pong", id: 3 });
    await server.toUser("ada").push({ event: "yours", data: 1 });
    expect(await socket.next("yours")).toMatchObject({ data: 1 });
    await socket.silence(0);
  });

  test("may renew its token afterwards, and be nobody else", async () => {
    const client = await connectNative(server.url, { credentials: { token: await makeToken({ sub: "ada" }) } });
    const [again, other] = [await makeToken({ sub: "ada" }), await makeToken({ sub: "bob" })];
    expect(await client.ask("authenticate", { token: again })).toMatchObject({ event: "authenticated" });
    expect(await client.ask("authenticate", { token: other })).toMatchObject({ code: "already_signed_in" });
  });

  test("is refused as at the door: for a bad token, an expired one, or none", async () => {
    const tokens = [
      "nonsense",
      await makeToken({ sub: "ada" }, "another-secret"),
      await makeToken({ sub: "ada", exp: 1 }),
    ];
    for (const token of tokens) {
      const [framed, asked] = [
        await dialNative(server.url, { credentials: { token } }),
        await dialNative(server.url, { token }),
      ];
      const [inFrame, atDoor] = [await framed.next(), await asked.next()];
      expect(inFrame).toEqual(atDoor);
      expect([inFrame.code, (await framed.closed).code]).toEqual(["token_invalid", 4009]);
    }
    const nothing = await dialNative(server.url, { credentials: {} });
    expect(await ending(nothing)).toEqual(NEVER("unauthorized"));
  });

  test("is refused for any other first frame, and nothing behind it is executed", async () => {
    const listener = await connectAs(server.url, "bob", { channels: ["*"] });
    await listener.subscribe("private-a");
    const frames = [
      '{"event":"ping"}',
      '{"event":"subscribe","data":{"channel":"a"}}',
      "garbage",
      "{}",
      new Uint8Array([1]),
    ];
    for (const frame of frames) {
      const socket = await dial(server.url);
      socket.send(frame);
      socket.send({ event: "authenticate", data: { token: await makeToken({ sub: "ada", channels: ["*"] }) } });
      socket.send({ event: "subscribe", data: { channel: "private-a" } });
      socket.send({ event: "publish", data: { channel: "private-a", event: "client-x" } });
      expect(await ending(socket)).toEqual(NEVER("unauthorized"));
      expect(socket.frames).toHaveLength(1);
    }
    expect(await listener.unread()).toEqual([]);
  });

  test("is sent nothing before its welcome, and is no connection of the program's", async () => {
    const socket = await dial(server.url);
    await eventually(() => expect(server.app(APP.id).connections.count()).toBeGreaterThan(0));
    const known = await connectAs(server.url, "cyd");
    await server.broadcast({ event: "all", data: 1 });
    await known.next("all");
    expect(Array.from(server.app(APP.id).connections).every(({ user }) => user !== undefined)).toBe(true);
    socket.send({ event: "authenticate", data: { token: await makeToken({ sub: "ada" }) } });
    expect(await socket.next()).toMatchObject({ event: "welcome" });
    await server.broadcast({ event: "all", data: 2 });
    expect(await socket.next()).toMatchObject({ event: "all", data: 2 });
  });

  test("has no use for it where its token is in the address, or where it speaks Pusher's protocol", async () => {
    const token = await makeToken({ sub: "ada" });
    const socket = await connect(socketUrl(server.url, `/?auth=frame&token=${token}`));
    expect(await socket.next()).toMatchObject({ event: "welcome", data: { user: { id: "ada" } } });
    const pusher = await connect(socketUrl(server.url, `/app/${APP.key}?protocol=7&auth=frame`));
    expect(await pusher.next()).toMatchObject({ event: "pusher:connection_established" });
  });

  test("is refused where its user was ended after the token was issued", async () => {
    const token = await makeToken({ sub: "eve", iat: Math.floor(Date.now() / 1000) - 60 });
    await server.app(APP.id).terminate("eve");
    const socket = await dialNative(server.url, { credentials: { token } });
    expect(await socket.next()).toMatchObject({ event: "welcome" });
    expect(await ending(socket)).toEqual(NEVER("token_invalid"));
  });
});

describe("the program", () => {
  test("is asked about credentials that it understands, and hears of the client when it is known", async () => {
    const heard: string[] = [];
    const server = await start();
    server.setAuthenticator(({ username, password }) =>
      password === "right" ? { id: `${username}`, info: { by: "program" } } : false,
    );
    server.use("handshake", (context, next) => {
      heard.push(`handshake${context.url.search}`);
      return next();
    });
    server.use("message", ({ connection }, next) => {
      heard.push(`message of ${connection?.user?.id}`);
      return next();
    });
    server.on("open", () => void heard.push("open"));
    server.on("close", () => void heard.push("close"));
    const refused = await dialNative(server.url, { credentials: { username: "ada", password: "wrong" } });
    expect(await ending(refused)).toEqual(NEVER("token_invalid"));
    await (await dial(server.url)).close();
    const client = await connectNative(server.url, { credentials: { username: "ada", password: "right" } });
    expect(client.welcome.user).toEqual({ id: "ada", info: { by: "program" } });
    await client.ping();
    await client.close();
    await eventually(() => expect(heard.at(-1)).toBe("close"));
    const doors = heard.filter((line) => line.startsWith("handshake"));
    expect(doors).toEqual(Array(3).fill("handshake?auth=frame"));
    expect(heard.filter((line) => !line.startsWith("handshake"))).toEqual(["open", "message of ada", "close"]);
  });

  test("that fails over the first frame is to blame, and the client may come back", async () => {
    const server = await start();
    server.setAuthenticator(() => {
      throw new Error("no database");
    });
    const socket = await dialNative(server.url, { credentials: { username: "ada" } });
    expect(await ending(socket)).toEqual(["closing", "internal", "later", 4100]);
  });
});

describe("a client that has not said who it is", () => {
  test("takes a place of the app's and of the process, and gives it back", async () => {
    for (const [config, app, code] of [
      [{}, { limits: { connections: 1 } }, "quota_exceeded"],
      [{ limits: { connections: 1 } }, {}, "over_capacity"],
    ] as const) {
      const server = await start(config, app);
      const waiting = await dial(server.url);
      const options: NativeOptions = { token: await makeToken({ sub: "ada" }) };
      expect(await (await dialNative(server.url, options)).next()).toMatchObject({ code });
      await waiting.close();
      await eventually(async () => {
        expect(await (await dialNative(server.url, options)).next()).toMatchObject({ event: "welcome" });
      });
    }
  });

  test("is told of a server that stops, and of an app that is gone", async () => {
    const server = await start();
    const waiting = await dial(server.url);
    await server.reload({ ...server.config, apps: [{ ...APP, enabled: false }] } as ConfigInput);
    expect(await ending(waiting)).toEqual(["closing", "app_disabled", "never", 4003]);
    const other = await start();
    const last = await dial(other.url);
    void other.stop();
    expect(await ending(last)).toEqual(["closing", "shutdown", "now", 4200]);
  });
});
