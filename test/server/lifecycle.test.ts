/** A server's life as a program sees it: start, stop, start again, and what clients hear of it. */

import { describe, expect, test } from "bun:test";
import { createServer, type Server, type ServerOptions } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, dialPusher } from "../support/pusher-client.ts";
import { connectRaw } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const FAREWELL = "The server is shutting down; connect again.";

function makeServer(config: ServerOptions = {}): Server {
  const server = createServer({
    host: "127.0.0.1",
    port: 0,
    drainTimeoutS: 1,
    log: { level: "silent" },
    apps: [{ ...APP, anonymous: true }],
    ...config,
  });
  atEnd(() => server.stop());
  return server;
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/health`).then(
    ({ status }) => status === 200,
    () => false,
  );
}

describe("starting", () => {
  test("listens, and says where", async () => {
    const server = makeServer();
    await server.start();
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect(await isHealthy(server.url)).toBe(true);
  });

  test("twice, one after the other or at once, listens once", async () => {
    const server = makeServer();
    await Promise.all([server.start(), server.start()]);
    const { url } = server;
    await server.start();
    expect(server.url).toBe(url);
    await server.stop();
    expect(await isHealthy(url)).toBe(false);
  });

  test("listens nowhere when it is disabled, lets the program go on, and throws where it is needed (S40)", async () => {
    const server = makeServer({ enabled: false });
    await server.start();
    expect(() => server.port).toThrow("The server is disabled: `enabled` is false in its configuration.");
    expect(() => server.toChannel("news")).toThrow("The server is disabled");
    await server.stop();
  });

  test("on a port in use throws EADDRINUSE, and works once the port is free", async () => {
    const first = await startServer();
    const second = makeServer({ port: first.port });
    await expect(second.start()).rejects.toMatchObject({ code: "EADDRINUSE" });
    await expect(second.start()).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.stop();
    await second.start();
    expect(await isHealthy(second.url)).toBe(true);
  });

  test("is what everything else asks for first", async () => {
    const server = makeServer();
    const asks = [
      () => server.url,
      () => server.port,
      () => server.toChannel("c"),
      () => server.toUser("u"),
      () => server.connections,
      () => server.channels(),
      () => server.channel("c"),
      () => server.members("c"),
      () => server.app(),
    ];
    for (const ask of asks) expect(ask).toThrow("The server is not running: call start() first.");
    await server.start();
    const target = server.toChannel("c");
    await target.push("x");
    await server.stop();
    for (const ask of asks) expect(ask).toThrow("The server is not running: call start() first.");
  });
});

describe("stopping", () => {
  test("asks each client in its own protocol to connect again, and closes", async () => {
    const server = makeServer();
    await server.start();
    const [native, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
    await server.stop();
    expect(await native.next()).toEqual({
      event: "closing",
      code: "shutdown",
      message: FAREWELL,
      reconnect: "now",
      afterMs: expect.any(Number),
    });
    expect(await native.socket.closed).toEqual({ code: 4200, reason: FAREWELL });
    expect(await pusher.next()).toEqual({ event: "pusher:error", data: { code: 4200, message: FAREWELL } });
    expect(await pusher.socket.closed).toEqual({ code: 4200, reason: FAREWELL });
  });

  test("loses nothing that was pushed before", async () => {
    const server = makeServer();
    await server.start();
    const client = await connectNative(server.url);
    await client.subscribe("c");
    for (let n = 0; n < 500; n++) void server.toChannel("c").push({ event: "n", data: n });
    await server.stop();
    await client.socket.closed;
    const heard = client.socket.frames.slice(2);
    expect(heard.map(({ data }) => data)).toEqual([...Array.from({ length: 500 }, (_, n) => n), undefined]);
    expect(heard.at(-1)?.event).toBe("closing");
  });

  test("does not wait longer than its time for a call that never ends", async () => {
    const server = makeServer({ drainTimeoutS: 0.3 });
    await server.start();
    const call = await connectRaw(server.url);
    call.write("POST /apps/app/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{");
    await isHealthy(server.url);
    const startedAtMs = performance.now();
    await server.stop();
    expect(performance.now() - startedAtMs).toBeWithin(250, 4_000);
    await call.closed;
  });

  test("twice, one after the other or at once, and before any start, is no error", async () => {
    const server = makeServer();
    await server.stop();
    await server.start();
    const client = await connectNative(server.url);
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    await client.socket.closed;
    expect(client.socket.frames.filter(({ event }) => event === "closing")).toHaveLength(1);
  });

  test("refuses new clients while it waits for a call that is not answered yet", async () => {
    const server = makeServer({ drainTimeoutS: 30 });
    await server.start();
    const { url } = server;
    const client = await connectNative(url);
    const call = await connectRaw(url);
    call.write("POST /apps/app/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{");
    // A round trip behind it, so that the server has seen the call.
    await isHealthy(url);
    await client.ping();
    let isStopped = false;
    const stopping = server.stop().then(() => {
      isStopped = true;
    });
    await client.socket.closed;
    await expect(connectNative(url)).rejects.toThrow();
    await expect(dialPusher(url)).rejects.toThrow();
    expect(isStopped).toBe(false);
    call.write("}");
    await eventually(() => expect(call.text).toContain("HTTP/1.1 401"));
    await stopping;
  });
});

describe("starting again", () => {
  test("after a stop takes clients in, and remembers its handlers but none of its channels", async () => {
    const server = makeServer();
    server.handle("who", ({ id }) => id);
    await server.start();
    const before = await connectNative(server.url);
    await before.subscribe("cache-c");
    await server.toChannel("cache-c").push("old");
    await server.stop();
    await server.start();
    expect(server.connections.count()).toBe(0);
    expect(await server.channels()).toEqual([]);
    const after = await connectNative(server.url);
    expect((await after.ask("who")).data).toBe(after.id);
    await after.subscribe("cache-c");
    expect((await after.next()).event).toBe("cache_miss");
  });

  test("waits for a stop that is under way, and the other way round", async () => {
    const server = makeServer();
    await server.start();
    const client = await connectNative(server.url);
    const stopping = server.stop();
    await server.start();
    await stopping;
    expect((await client.socket.closed).code).toBe(4200);
    await (await connectNative(server.url)).ping();
    await server.stop();
    const starting = server.start();
    await server.stop();
    await starting;
    expect(() => server.url).toThrow("not running");
    await server.start();
    await (await connectNative(server.url)).ping();
  });
});
