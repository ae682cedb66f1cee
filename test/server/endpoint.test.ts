/** WebSocket endpoints of a program's own, through real sockets. */

import { describe, expect, test } from "bun:test";
import type { ConfigInput, EndpointDefinition, EndpointSocket, Raw, Server } from "../../packages/server/src/index.ts";
import { CommandError, Disconnect } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { closePayload, connectRaw, connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { connect, type TestSocket } from "../support/socket.ts";

/** More than anybody's share at once. */
const MANY = 10_000;

/** A server with one endpoint, and what failed in it. */
async function start(path: string, definition: EndpointDefinition, config: ConfigInput = {}) {
  const server = await startServer(config, { anonymous: true });
  const failures: string[] = [];
  server.on("error", (error, during) => failures.push(`${during}: ${error instanceof Error ? error.message : error}`));
  const endpoint = server.websocket(path, definition);
  return { server, endpoint, failures };
}

function dial(server: Server, path: string, options: Parameters<typeof connect>[1] = {}): Promise<TestSocket> {
  return connect(socketUrl(server.url, path), options);
}

async function statusOf(server: Server, path: string, headers: Record<string, string> = {}): Promise<number> {
  const raw = await connectRaw(server.url);
  return (await raw.handshake(path, headers)).status;
}

function text(message: Raw): string {
  return typeof message === "string" ? message : `${message.byteLength} bytes`;
}

describe("an endpoint", () => {
  test("has the payload in its hands, text and binary (B29, O12, O26)", async () => {
    const { server } = await start("/echo", {
      message: (socket, message) => socket.send(typeof message === "string" ? `Recv: ${message}` : message),
    });
    const client = await dial(server, "/echo");
    client.send("hello");
    client.send(new Uint8Array([0, 255, 7]));
    client.send('{"event":"subscribe","channel":"x"}');
    await eventually(() => expect(client.raw).toHaveLength(3));
    expect(client.raw).toEqual([
      "Recv: hello",
      new Uint8Array([0, 255, 7]),
      'Recv: {"event":"subscribe","channel":"x"}',
    ]);
  });

  test("calls its handlers for everything, in order (O11 to O16)", async () => {
    const told: string[] = [];
    const { server, endpoint } = await start("/all/:name", {
      upgrade: (_, { name }, { address }) => {
        told.push(`upgrade ${name} ${address}`);
        return { data: { name }, headers: { "X-Answer": "yes" } };
      },
      open: async ({ params }, request) => {
        await Bun.sleep(20);
        told.push(`open ${params.name} ${new URL(request.url).search}`);
      },
      message: async (socket, message) => {
        await Bun.sleep(socket.params.name === "ada" ? 10 : 0);
        told.push(text(message));
      },
      ping: (_, data) => told.push(`ping ${Buffer.from(data)}`),
      close: (_, code, reason) => told.push(`close ${code} ${reason}`),
    });
    const raw = await connectRaw(server.url);
    const { headers } = await raw.handshake("/all/ada%20l?token=1");
    expect(headers["x-answer"]).toBe("yes");
    const [socket] = endpoint.sockets;
    expect(socket).toMatchObject({ params: { name: "ada l" }, data: { name: "ada l" }, address: "127.0.0.1" });
    raw.send(OPCODE.text, "1");
    raw.send(OPCODE.binary, "22");
    raw.send(OPCODE.close, closePayload(4001, "bye"));
    await eventually(() => expect(told).toHaveLength(5));
    expect(told).toEqual(["upgrade ada l 127.0.0.1", "open ada l ?token=1", "1", "2 bytes", "close 4001 bye"]);
    expect(endpoint.sockets.count()).toBe(0);
    expect(socket?.send("too late")).toBe(false);
  });

  test("receives pings and pongs, and sends its own", async () => {
    const told: string[] = [];
    const { server } = await start("/p", {
      open: (socket) => socket.ping("are you there"),
      ping: (_, data) => told.push(`ping ${Buffer.from(data)}`),
      pong: (_, data) => told.push(`pong ${Buffer.from(data)}`),
    });
    const raw = await connectRawWebSocket(server.url, "/p");
    expect(String((await raw.next(OPCODE.ping)).payload)).toBe("are you there");
    raw.send(OPCODE.pong, "yes");
    raw.send(OPCODE.ping, "and you");
    await eventually(() => expect(told).toEqual(["pong yes", "ping and you"]));
    expect(String((await raw.next(OPCODE.pong)).payload)).toBe("and you");
  });

  test("is found by its path: as it is, by its parts, by its beginning", async () => {
    const { server } = await start("/a/*", { open: (socket) => socket.send(JSON.stringify(socket.params)) });
    server.websocket("/a/exact", { open: (socket) => socket.send('{"which":"exact"}') });
    server.websocket("/b/:x/c/:y", { open: (socket) => socket.send(JSON.stringify(socket.params)) });
    const greet = async (path: string) => (await (await dial(server, path)).next()) as object;
    expect(await greet("/a/any/thing")).toMatchObject({ "*": "any/thing" });
    expect(await greet("/a/exact")).toMatchObject({ which: "exact" });
    expect(await greet("/a/exact/")).toMatchObject({ which: "exact" });
    expect(await greet("/b/1%2F2/c/%C3%A9")).toMatchObject({ x: "1/2", y: "é" });
    for (const path of ["/b/1/c", "/b/%FF/c/d"]) {
      const { code, reason } = await (await dial(server, path)).closed;
      expect([code, reason]).toEqual([4005, expect.stringContaining("no WebSocket at")]);
    }
    expect((await (await dial(server, "/")).next("welcome")).event).toBe("welcome");
  });

  test("may lie behind a proxy that leaves its prefix", async () => {
    const { server } = await start("/echo", { open: (socket) => socket.send("hi") }, { path: "/ws" });
    for (const path of ["/echo", "/ws/echo"]) {
      const client = await dial(server, path);
      await eventually(() => expect(client.raw).toEqual(["hi"]));
    }
  });

  test("may lie at `/`: native clients are those that name their app, and what has a path of its own keeps it (O2, O26)", async () => {
    for (const path of ["", "/ws"]) {
      const { server } = await start(
        "/",
        { message: (socket, data) => socket.send(`Recv: ${data}`), request: () => new Response("mine") },
        { path },
      );
      for (const at of path === "" ? ["/", "/?token=1"] : ["/", path, `${path}/`, `${path}/?token=1`]) {
        const own = await dial(server, at);
        own.send('{"event":"subscribe","data":{"channel":"a"}}');
        await eventually(() => expect(own.raw).toEqual(['Recv: {"event":"subscribe","data":{"channel":"a"}}']));
        expect(await (await fetch(`${server.url}${at}`)).text()).toBe("mine");
      }
      for (const at of [
        `${path}/?app=${APP.key}`,
        `${path}/?token=${await makeToken({ sub: "ada" })}&app=${APP.key}`,
      ]) {
        expect((await (await dial(server, at)).next("welcome")).event).toBe("welcome");
      }
      expect((await connectPusher(server.url)).socketId).toMatch(/^\d+\.\d+$/);
      expect(await (await fetch(`${server.url}${path}/health`)).json()).toEqual({ status: "ok" });
      expect((await signedFetch(server.url, APP, "GET", "/channels")).status).toBe(200);
      expect(() => server.websocket("/", {})).toThrow("already");
    }
  });

  test("may not take what is the server's own, nor a path that is taken or none", async () => {
    const { server } = await start("/echo", {}, { path: "/ws" });
    for (const path of [
      "/app/:key",
      "/*",
      "/:a/:b",
      "/health",
      "/ready",
      "/metrics",
      "/ws",
      "/ws/app/:key",
      "/mine/app/:key",
      "/apps/*",
    ]) {
      expect(() => server.websocket(path, {})).toThrow("server's own");
    }
    for (const path of ["", "echo", "/a/*/b", "/a b", "/a?b", "/:"]) {
      expect(() => server.websocket(path, {})).toThrow("cannot be the path");
    }
    expect(() => server.websocket("/echo", {})).toThrow("already");
    expect(() => server.websocket("/big", { frameBytes: 1e9 })).toThrow("raise that");
    expect(() => server.websocket("/none", { messagesPerSecond: 0 })).toThrow("more than 0");
  });

  test("answers ordinary HTTP at its path (O14)", async () => {
    const { server } = await start("/rooms/:room", {
      request: async (request, { params, address }) => new Response(`${request.method} ${params.room} ${address}`),
    });
    expect(await (await fetch(`${server.url}/rooms/7`, { method: "PUT", body: "x" })).text()).toBe("PUT 7 127.0.0.1");
    expect((await fetch(`${server.url}/rooms`)).status).toBe(404);
  });

  test("pushes into the server's channels", async () => {
    const { server } = await start("/in", {});
    server.websocket("/push", {
      message: (_, data) => server.toChannel("news").push({ event: "said", data: text(data) }),
    });
    const reader = await connectNative(server.url);
    await reader.subscribe("news");
    (await dial(server, "/push")).send("hello");
    expect((await reader.next("said")).data).toBe("hello");
  });
});

describe("a handshake", () => {
  test.each([
    ["false", () => false, 403],
    ["a Response", () => new Response("pay first", { status: 402 }), 402],
    ["a CommandError", () => Promise.reject(new CommandError("unauthorized", "Who are you?")), 401],
    ["a Disconnect", () => Promise.reject(new Disconnect("over_capacity", "Full.")), 503],
    ["a bug", () => Promise.reject(new Error("a secret")), 500],
    ["a protocol nobody asked for", () => ({ protocol: "x" }), 500],
  ])("is refused by %s", async (_, upgrade, status) => {
    const refused: string[] = [];
    const { server, endpoint, failures } = await start("/door", {
      upgrade: upgrade as NonNullable<EndpointDefinition["upgrade"]>,
      refused: (request) => refused.push(new URL(request.url).pathname),
    });
    expect(await statusOf(server, "/door")).toBe(status);
    expect(refused).toEqual(["/door"]);
    expect(failures).toHaveLength(status === 500 ? 1 : 0);
    expect(endpoint.sockets.count()).toBe(0);
  });

  test("agrees on a sub-protocol", async () => {
    const { server } = await start("/chat", {
      protocols: ["v2.chat", "v1.chat"],
      open: (socket) => socket.send(socket.protocol),
    });
    const protocolOf = async (...protocols: string[]) => {
      const client = await dial(server, "/chat", { protocols });
      return eventually(() => {
        expect(client.raw).toHaveLength(1);
        return client.raw[0];
      });
    };
    expect(await protocolOf("v1.chat", "v2.chat")).toBe("v1.chat");
    expect(await protocolOf("other", "v2.chat")).toBe("v2.chat");
    const raw = await connectRaw(server.url);
    const { headers } = await raw.handshake("/chat", { "Sec-WebSocket-Protocol": "other, v2.chat" });
    expect(headers["sec-websocket-protocol"]).toBe("v2.chat");
    expect(await statusOf(server, "/chat", { "Sec-WebSocket-Protocol": "other" })).toBe(400);
    expect(await statusOf(server, "/chat")).toBe(101);
  });

  test("may choose one itself", async () => {
    const { server } = await start("/chat", { upgrade: () => ({ protocol: "b" }) });
    const raw = await connectRaw(server.url);
    const { headers } = await raw.handshake("/chat", { "Sec-WebSocket-Protocol": "a, b" });
    expect(headers["sec-websocket-protocol"]).toBe("b");
  });

  test("from a foreign webpage is refused where origins are listed (scenario 63)", async () => {
    const { server } = await start("/chat", { origins: ["https://good.example"] });
    expect(await statusOf(server, "/chat", { Origin: "https://good.example" })).toBe(101);
    expect(await statusOf(server, "/chat")).toBe(101);
    for (const origin of ["https://evil.example", "https://good.example.evil", "null"]) {
      expect(await statusOf(server, "/chat", { Origin: origin })).toBe(403);
    }
  });

  test("is bound by the server's rules: addresses, rates, connections", async () => {
    const { server } = await start("/chat", { maxSockets: 2 }, { limits: { connections: 3 } });
    const first = await dial(server, "/chat");
    await dial(server, "/chat");
    expect(await statusOf(server, "/chat")).toBe(503);
    const client = await connectNative(server.url);
    expect(await (await dial(server, "/")).next("closing")).toMatchObject({
      code: "over_capacity",
      message: "This server has 3 connections, which is as many as it may (limits.connections).",
    });
    await first.close();
    await eventually(async () => expect(await statusOf(server, "/chat")).toBe(101));
    expect(client.id).toBeString();
    const denying = await start("/chat", {}, { denyIps: ["loopback"] });
    expect(await statusOf(denying.server, "/chat")).toBe(403);
    const proxied = { trustedProxies: ["loopback"], limits: { connectionsPerIp: 1 } };
    const { server: counting } = await start("/chat", {}, proxied);
    const headers = { "X-Forwarded-For": "192.0.2.1" };
    const only = await dial(counting, "/chat", { headers });
    expect(await statusOf(counting, "/chat", headers)).toBe(429);
    await only.close();
    await eventually(async () => expect(await statusOf(counting, "/chat", headers)).toBe(101));
  });
});

describe("a client that hangs up", () => {
  test("while middleware or an authenticator makes up its mind gives its place back", async () => {
    const never = () => new Promise<never>(() => {});
    const config = { trustedProxies: ["loopback"], limits: { connectionsPerIp: 1 } };
    const { server } = await start("/quick", {}, config);
    server.use("handshake", ({ url }, next) => (url.pathname === "/slow" ? never() : next()));
    server.setAuthenticator(never);
    for (const [at, path] of ["/slow", "/?token=opaque"].entries()) {
      const headers = { "X-Forwarded-For": `192.0.2.${at + 1}` };
      const raw = await connectRaw(server.url);
      void raw.handshake(path, headers).catch(() => {});
      await eventually(async () => expect(await statusOf(server, "/quick", headers)).toBe(429));
      raw.cut();
      await eventually(async () => expect(await statusOf(server, "/quick", headers)).toBe(101));
    }
  });

  test("while middleware still has something to do after the socket is open gives its place back once", async () => {
    const config = { trustedProxies: ["loopback"], limits: { connectionsPerIp: 2 } };
    const { server } = await start("/quick", {}, config);
    const isOver = Promise.withResolvers<void>();
    server.use("handshake", async ({ url }, next) => {
      await next();
      if (url.searchParams.has("slow")) await isOver.promise;
    });
    const headers = { "X-Forwarded-For": "192.0.2.1" };
    const first = await dial(server, "/quick", { headers });
    const slow = await dial(server, "/quick?slow", { headers });
    await slow.close();
    const second = await dial(server, "/quick", { headers });
    expect(await statusOf(server, "/quick", headers)).toBe(429);
    isOver.resolve();
    await Bun.sleep(1);
    expect(await statusOf(server, "/quick", headers)).toBe(429);
    await first.close();
    await second.close();
  });

  test("while the program makes up its mind gives its place back", async () => {
    const refused: string[] = [];
    const config = { trustedProxies: ["loopback"], limits: { connectionsPerIp: 1 } };
    const { server } = await start(
      "/slow",
      { upgrade: () => new Promise(() => {}), refused: ({ url }) => refused.push(url) },
      config,
    );
    server.websocket("/quick", {});
    const headers = { "X-Forwarded-For": "192.0.2.1" };
    const raw = await connectRaw(server.url);
    void raw.handshake("/slow", headers).catch(() => {});
    await eventually(async () => expect(await statusOf(server, "/quick", headers)).toBe(429));
    raw.cut();
    await eventually(async () => expect(await statusOf(server, "/quick", headers)).toBe(101));
    expect(refused).toHaveLength(1);
  });
});

describe("messages", () => {
  test("of one socket are handled one at a time, unless `concurrent`", async () => {
    const run = async (concurrent: boolean) => {
      let underWay = 0;
      let most = 0;
      let done = 0;
      const { server } = await start("/slow", {
        concurrent,
        message: async () => {
          most = Math.max(most, ++underWay);
          await Bun.sleep(20);
          underWay--;
          done++;
        },
      });
      const client = await dial(server, "/slow");
      for (const message of ["1", "2", "3"]) client.send(message);
      await eventually(() => expect(done).toBe(3));
      return most;
    };
    expect(await run(false)).toBe(1);
    expect(await run(true)).toBe(3);
  });

  test("that come by the thousand are all handled, in order, and those before the end, too", async () => {
    const told: string[] = [];
    const { server } = await start("/many", {
      message: async (_, message) => {
        if (told.length % 100 === 0) await Bun.sleep(0);
        told.push(String(message));
      },
      close: () => void told.push("closed"),
    });
    const client = await dial(server, "/many");
    for (let sent = 0; sent < MANY; sent++) client.send(`${sent}`);
    await client.close();
    await eventually(() => expect(told.at(-1)).toBe("closed"), { withinMs: 40_000 });
    expect(told.slice(0, -1)).toEqual(Array.from({ length: MANY }, (_, n) => `${n}`));
  }, 60_000);

  test.each([false, true])("that pile up end the socket with 1008 (concurrent: %p)", async (concurrent) => {
    let handled = 0;
    const { server } = await start("/slow", {
      concurrent,
      waitingMessages: 4,
      message: async () => {
        handled++;
        await Bun.sleep(100);
      },
    });
    const client = await dial(server, "/slow");
    for (let sent = 0; sent < 20; sent++) client.send("x");
    expect((await client.closed).code).toBe(1008);
    expect(handled).toBeLessThanOrEqual(5);
  });

  test("that come too fast end the socket with 1008, those that are too large with 1009", async () => {
    const { server } = await start("/strict", { messagesPerSecond: 3, frameBytes: 100 });
    const fast = await dial(server, "/strict");
    for (let sent = 0; sent < 10; sent++) fast.send("x");
    expect((await fast.closed).code).toBe(1008);
    const large = await dial(server, "/strict");
    large.send("é".repeat(50));
    await Bun.sleep(20);
    expect(large.isOpen).toBe(true);
    large.send("é".repeat(51));
    expect((await large.closed).code).toBe(1009);
  });

  test("that came before the close are handled, and close comes last", async () => {
    const told: string[] = [];
    const { server } = await start("/slow", {
      message: async (_, message) => {
        await Bun.sleep(15);
        told.push(text(message));
      },
      close: () => told.push("close"),
    });
    const client = await dial(server, "/slow");
    for (const message of ["1", "2", "3"]) client.send(message);
    await client.close();
    await eventually(() => expect(told).toEqual(["1", "2", "3", "close"]));
  });

  test("whose handler ends the socket are done before close is called, once", async () => {
    for (const end of ["close", "terminate"] as const) {
      const told: string[] = [];
      const done = Promise.withResolvers<void>();
      const { server } = await start("/slow", {
        message: async (socket) => {
          socket[end]();
          await Bun.sleep(15);
          told.push("message");
        },
        close: () => {
          told.push("close");
          done.resolve();
        },
      });
      const client = await dial(server, "/slow");
      client.send("end");
      await client.closed;
      await done.promise;
      await server.stop();
      expect(told).toEqual(["message", "close"]);
    }
  });
});

describe("a handler that throws", () => {
  test("is logged, and passed to error, and the socket lives on", async () => {
    const told: unknown[] = [];
    const { server, failures } = await start("/bad", {
      open: () => Promise.reject(new Error("open failed")),
      message: () => {
        throw new Error("message failed");
      },
      error: (socket, error) => {
        told.push(error instanceof Error && error.message);
        socket.send("sorry");
      },
    });
    const client = await dial(server, "/bad");
    client.send("x");
    await eventually(() => expect(told).toEqual(["open failed", "message failed"]));
    await eventually(() => expect(client.raw).toEqual(["sorry", "sorry"]));
    expect(failures).toEqual([
      "open of the endpoint /bad: open failed",
      "message of the endpoint /bad: message failed",
    ]);
  });

  test("without error ends its own socket with 1011, and harms no other client (scenario 38)", async () => {
    const { server, endpoint, failures } = await start("/bad", {
      message: async (socket, message) => {
        if (message === "bad") throw new Error("broken");
        socket.send(message);
      },
      close: () => Promise.reject(new Error("close failed")),
    });
    const [bad, good, other] = [
      await dial(server, "/bad"),
      await dial(server, "/bad"),
      await connectNative(server.url),
    ];
    bad.send("bad");
    expect(await bad.closed).toEqual({ code: 1011, reason: "Something went wrong on the server." });
    good.send("fine");
    await eventually(() => expect(good.raw).toEqual(["fine"]));
    expect((await other.subscribe("x")).event).toBe("subscribed");
    await eventually(() => expect(failures).toHaveLength(2));
    expect(endpoint.sockets.count()).toBe(1);
  });
});

describe("topics", () => {
  test("reach the subscribers, at this endpoint only", async () => {
    const join: EndpointDefinition = { open: (socket) => socket.subscribe(socket.params.room ?? ""), message };
    function message(socket: EndpointSocket, message: Raw): void {
      if (message === "leave") socket.unsubscribe("a");
      else socket.send(String(socket.publish("a", message)));
    }
    const { server, endpoint } = await start("/rooms/:room", join);
    const other = server.websocket("/others/:room", join);
    const [one, two, far, beyond] = await Promise.all(
      ["/rooms/a", "/rooms/a", "/rooms/b", "/others/a"].map((path) => dial(server, path)),
    );
    if (!one || !two || !far || !beyond) throw new Error("unreachable");
    expect(endpoint.publish("a", "from outside")).toBe(2);
    one.send("hi");
    await eventually(() => expect(two.raw).toEqual(["from outside", "hi"]));
    await eventually(() => expect(one.raw).toEqual(["from outside", "1"]));
    two.send("leave");
    await eventually(() => expect(endpoint.publish("a", "again")).toBe(1));
    await one.close();
    await eventually(() => expect(endpoint.publish("a", "gone")).toBe(0));
    expect([far.raw, beyond.raw]).toEqual([[], []]);
    expect([endpoint.broadcast(new Uint8Array([1])), other.broadcast("all")]).toEqual([2, 1]);
    await eventually(() => expect(beyond.raw).toEqual(["all"]));
  });

  test("are no way into the server's channels", async () => {
    const { server, endpoint } = await start("/rooms/:room", { open: (socket) => socket.subscribe("app/news/native") });
    const [spy, reader] = [await dial(server, "/rooms/a"), await connectNative(server.url)];
    await reader.subscribe("news");
    await server.toChannel("news").push("secret");
    await reader.next("message");
    expect(endpoint.publish("app/news/native", "{}")).toBe(1);
    await eventually(() => expect(spy.raw).toEqual(["{}"]));
    await reader.silence(50);
  });
});

describe("slow and silent clients", () => {
  test("who read nothing are cut at the endpoint's own mark", async () => {
    const closed: number[] = [];
    const { server, endpoint } = await start("/feed", {
      outboundBufferBytes: 100_000,
      close: (_, code) => closed.push(code),
    });
    const raw = await connectRawWebSocket(server.url, "/feed");
    raw.stall();
    const reader = await dial(server, "/feed");
    await eventually(
      () => {
        endpoint.broadcast("x".repeat(60_000));
        expect(closed).toEqual([1006]);
      },
      { withinMs: 20_000 },
    );
    expect(reader.isOpen).toBe(true);
  });

  test("that read again cause a drain", async () => {
    let drained = 0;
    const { server, endpoint } = await start(
      "/feed",
      { drain: () => drained++ },
      { limits: { outboundBufferBytes: 1e8 } },
    );
    const raw = await connectRawWebSocket(server.url, "/feed");
    raw.stall();
    const [socket] = endpoint.sockets;
    while ((socket?.bufferedBytes ?? 0) === 0) socket?.send("x".repeat(100_000));
    raw.resume();
    await eventually(() => expect(drained).toBeGreaterThan(0));
    await eventually(() => expect(socket?.bufferedBytes).toBe(0));
  });

  test("who say nothing are pinged, and cut when they do not answer", async () => {
    const closed: number[] = [];
    const { server } = await start("/quiet", {
      idleTimeoutS: 0.1,
      pongTimeoutS: 0.5,
      close: (_, code) => closed.push(code),
    });
    const answering = await dial(server, "/quiet");
    const raw = await connectRawWebSocket(server.url, "/quiet");
    await raw.next(OPCODE.ping);
    await eventually(() => expect(closed).toEqual([1006]), { withinMs: 10_000 });
    expect(answering.isOpen).toBe(true);
  });
});

test("what an endpoint does not say itself is the server's, also after a reload", async () => {
  const server = await startServer();
  server.websocket("/own", { waitingMessages: 7 });
  server.websocket("/server", {});
  const [own, other] = [
    await connectRawWebSocket(server.url, "/own"),
    await connectRawWebSocket(server.url, "/server"),
  ];
  await server.reload({ ...server.config, activityTimeoutS: 0.1 });
  await Promise.all([own.next(OPCODE.ping), other.next(OPCODE.ping)]);
});

describe("a server that stops", () => {
  test("closes endpoint sockets with 1012, waits for their handlers, and can start again", async () => {
    const told: string[] = [];
    const { server, endpoint } = await start("/work", {
      message: async () => {
        await Bun.sleep(200);
        told.push("message done");
      },
      close: async (_, code) => {
        await Bun.sleep(20);
        told.push(`close ${code}`);
      },
    });
    const client = await dial(server, "/work");
    client.send("x");
    await Bun.sleep(50);
    await server.stop();
    expect(await client.closed).toMatchObject({ code: 1012 });
    expect(told).toEqual(["message done", "close 1012"]);
    await server.start();
    const again = await dial(server, "/work");
    await eventually(() => expect(endpoint.sockets.count()).toBe(1));
    await again.close();
  });
});
