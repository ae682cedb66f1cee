/** Middleware around handshakes, messages and HTTP requests, on a real server. */

import { describe, expect, test } from "bun:test";
import {
  allowIps,
  allowOrigins,
  CommandError,
  Disconnect,
  rateLimit,
  type Server,
} from "../../packages/server/src/index.ts";
import { MiddlewareStack } from "../../packages/server/src/server/embed/middleware.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, signedFetch, signedUrl } from "../support/pusher-client.ts";
import { connectRaw } from "../support/raw-socket.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";

async function start(config: Parameters<typeof startServer>[0] = {}) {
  const server = await startServer(config, { anonymous: true });
  server.mount(({ url }) => new Response(`mounted ${new URL(url).pathname}`));
  const failures: string[] = [];
  server.on("error", (error, during) => failures.push(`${during}: ${error instanceof Error ? error.message : error}`));
  return { server, failures };
}

async function statusOf(server: Server, path: string, headers: Record<string, string> = {}): Promise<number> {
  const raw = await connectRaw(server.url);
  return (await raw.handshake(path, headers)).status;
}

describe("middleware (O24)", () => {
  test("is put around every handshake, message and request, one inside the other", async () => {
    const { server } = await start();
    const told: string[] = [];
    const layer = (name: string) => async (context: { type: string }, next: () => Promise<unknown>) => {
      told.push(`${name} ${context.type}`);
      await next();
      told.push(`${name} done`);
    };
    server.use(layer("a")).use(layer("b"));
    server.websocket("/raw", { message: (socket) => socket.send("handled") });
    const around = (type: string) => [`a ${type}`, `b ${type}`, "b done", "a done"];
    expect(await (await fetch(`${server.url}/x`)).text()).toBe("mounted /x");
    expect(told.splice(0)).toEqual(around("request"));
    expect((await fetch(`${server.url}/apps/none/channels`)).status).toBe(404);
    expect(told.splice(0)).toEqual(around("request"));
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(told).toEqual([]);
    const client = await connectNative(server.url);
    await eventually(() => expect(told).toEqual(around("handshake")));
    told.length = 0;
    await client.subscribe("x");
    await eventually(() => expect(told).toEqual(around("message")));
    const raw = await connect(socketUrl(server.url, "/raw"));
    told.length = 0;
    raw.send("x");
    await eventually(() => expect(raw.raw).toEqual(["handled"]));
    await eventually(() => expect(told).toEqual(around("message")));
  });

  test("for one kind gets its context, and may be added while the server runs", async () => {
    const { server } = await start();
    server.websocket("/rooms/:room", {});
    const told: unknown[] = [];
    server.use("handshake", (context, next) => {
      const { endpoint, url, address, request } = context;
      told.push([endpoint, url.pathname, address, request.headers.get("x-a"), typeof context.server]);
      return next();
    });
    server.use("message", (context, next) => {
      told.push(context.connection ? context.command : [context.socket.params, context.data]);
      return next();
    });
    const client = await connectPusher(server.url);
    await client.subscribe("a");
    const raw = await connect(socketUrl(server.url, "/rooms/7"), { headers: { "X-A": "1" } });
    raw.send("hi");
    await eventually(() => expect(told).toHaveLength(4));
    expect(told[0]).toEqual([undefined, "/app/278d425bdf160c739803", "127.0.0.1", null, "object"]);
    expect(told[1]).toMatchObject({ type: "subscribe", channel: "a" });
    expect(told[2]).toEqual(["/rooms/:room", "/rooms/7", "127.0.0.1", "1", "object"]);
    expect(told[3]).toEqual([{ room: "7" }, "hi"]);
  });

  test("may put something else in place of a message, and of an answer", async () => {
    const { server } = await start();
    server.handle("shout", (_, data) => data);
    server.websocket("/raw", { message: (socket, message) => socket.send(message) });
    server.use("message", (context, next) => {
      if (context.socket) context.data = String(context.data).toUpperCase();
      else if (context.command.type === "call") context.command = { ...context.command, data: "replaced" };
      return next();
    });
    server.use("request", async (_, next) => {
      const answer = await next();
      return new Response(`<${await answer?.text()}>`, { status: 201 });
    });
    const client = await connectNative(server.url);
    expect((await client.ask("shout", "hello")).data).toBe("replaced");
    const raw = await connect(socketUrl(server.url, "/raw"));
    raw.send("hi");
    await eventually(() => expect(raw.raw).toEqual(["HI"]));
    const answer = await fetch(server.url);
    expect([answer.status, await answer.text()]).toEqual([201, "<mounted />"]);
  });

  test("refuses messages in the words of what it throws", async () => {
    const { server, failures } = await start();
    const errors: unknown[] = [];
    server.websocket("/raw", {
      message: (socket) => socket.send("handled"),
      error: (_, error) => errors.push(error),
    });
    server.use("message", (context, next) => {
      const text = JSON.stringify(context.connection ? context.command : context.data);
      if (text.includes("refuse")) throw new CommandError("publish_forbidden", "Not here.");
      if (text.includes("goodbye")) throw new Disconnect("terminated", "Enough.");
      if (text.includes("bug")) throw new Error("a secret");
      return next();
    });
    const client = await connectNative(server.url);
    expect(await client.ask("refuse", 1)).toMatchObject({ code: "publish_forbidden", message: "Not here." });
    expect(await client.ask("bug", 1)).toMatchObject({ code: "internal" });
    const other = await connect(socketUrl(server.url, "/"));
    other.send({ event: "goodbye", id: 1 });
    expect(await other.closed).toMatchObject({ code: 4009 });
    const raw = await connect(socketUrl(server.url, "/raw"));
    for (const message of ["refuse", "fine", "goodbye"]) raw.send(message);
    expect(await raw.closed).toEqual({ code: 1008, reason: "Enough." });
    expect(raw.raw).toEqual(["handled"]);
    expect(errors).toEqual([new CommandError("publish_forbidden", "Not here.")]);
    expect(failures).toEqual(["command call: a secret"]);
  });

  test("refuses handshakes: of the hub in its protocols, of endpoints in HTTP", async () => {
    const { server, failures } = await start();
    const refused: string[] = [];
    server.websocket("/raw", { refused: ({ url }) => refused.push(url) });
    server.use("handshake", ({ url }, next) => {
      const why = url.searchParams.get("why");
      if (why === "goodbye") throw new Disconnect("unauthorized", "Not you.");
      if (why === "refused") throw new CommandError("unauthorized", "Not you.");
      if (why === "bug") throw new Error("a secret");
      if (why === "response") return new Response("pay first", { status: 402 });
      return why === "silence" ? undefined : next();
    });
    const hub = async (why: string) => (await (await connect(socketUrl(server.url, `/?why=${why}`))).closed).code;
    expect([await hub("goodbye"), await hub("refused"), await hub("bug")]).toEqual([4009, 4009, 4100]);
    expect(await statusOf(server, "/?why=response")).toBe(402);
    const raw = async (why: string) => statusOf(server, `/raw?why=${why}`);
    expect([await raw("goodbye"), await raw("refused"), await raw("bug")]).toEqual([403, 401, 500]);
    expect([await raw("response"), await raw("silence"), await raw("none")]).toEqual([402, 500, 101]);
    expect(failures.map((failure) => failure.replace(/.*: /, ""))).toEqual([
      "a secret",
      "a secret",
      "Middleware neither called next() nor returned a Response.",
    ]);
    expect((await connectNative(server.url)).id).toBeString();
    expect(refused).toHaveLength(4);
  });

  test("answers requests by itself, and its bugs harm no one else's request", async () => {
    const { server, failures } = await start();
    server.use("request", (context, next) => {
      const why = context.url.searchParams.get("why");
      if (why === "refused") throw new CommandError("rate_limited", "Slowly.");
      if (why === "bug") throw new Error("a secret");
      if (why === "response") return new Response("mine", { status: 418 });
      return why === "silence" ? undefined : next();
    });
    const ask = async (why: string) => (await fetch(`${server.url}/?why=${why}`)).status;
    expect([await ask("refused"), await ask("bug"), await ask("response")]).toEqual([429, 500, 418]);
    expect([await ask("silence"), await ask("none")]).toEqual([500, 200]);
    expect(failures).toEqual([
      "an HTTP request: a secret",
      "an HTTP request: Middleware neither called next() nor returned a Response.",
    ]);
  });

  test("makes another answer of the API's, which keeps its type and its status", async () => {
    const { server } = await start();
    server.use("request", async (_, next) => {
      const answer = await next();
      return answer && new Response(await answer.text(), answer);
    });
    const event = { name: "news", channel: "lobby", data: "{}" };
    const answer = await signedFetch(server.url, APP, "POST", "/events", { body: event });
    const type = "application/json;charset=utf-8";
    expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([200, type, "{}"]);
  });

  test("that has read a call's body leaves none for the API, which says so, whether its length was known or not", async () => {
    const { server, failures } = await start();
    server.use("request", async ({ request }, next) => {
      await request.text();
      return next();
    });
    const body = JSON.stringify({ name: "news", channel: "lobby", data: "{}" });
    const url = signedUrl(server.url, APP, "POST", "/events", { body: JSON.parse(body) });
    const inChunks = new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(body));
        await Bun.sleep(20);
        controller.close();
      },
    });
    for (const sent of [body, inChunks]) {
      const answer = await fetch(url, { method: "POST", body: sent });
      expect([answer.status, (await answer.json()).error]).toEqual([400, "The body could not be read to its end."]);
    }
    expect(failures).toEqual([]);
  });

  test("leads a request and a handshake elsewhere by their address", async () => {
    const { server } = await start();
    server.use("request", ({ url }, next) => {
      url.pathname = url.pathname.replace("/alias/", `/apps/${APP.id}/`);
      return next();
    });
    server.use("handshake", ({ url }, next) => {
      url.pathname = url.pathname.replace("/app/old-key", `/app/${APP.key}`);
      return next();
    });
    const asked = signedUrl(server.url, APP, "GET", "/channels").replace(`/apps/${APP.id}/`, "/alias/");
    expect(await (await fetch(asked)).json()).toEqual({ channels: {} });
    await connectPusher(server.url, { app: { ...APP, key: "old-key" } });
  });

  test("that calls next() twice gets an error, as in Hono", async () => {
    const { server, failures } = await start();
    server.use("request", async (_, next) => {
      await next();
      await next();
    });
    expect((await fetch(server.url)).status).toBe(500);
    expect(failures).toEqual(["an HTTP request: next() called multiple times"]);
  });

  test("need not wait for what is inside it", async () => {
    const { server } = await start();
    server.use("request", (_, next) => {
      void next();
    });
    expect(await (await fetch(server.url)).text()).toBe("mounted /");
  });

  test("keeps the order of a connection's messages", async () => {
    const { server } = await start();
    server.handle("echo", (_, data) => data);
    server.use("message", async (context, next) => {
      if (context.connection && context.command.type === "call") await Bun.sleep(Number(context.command.data));
      await next();
    });
    const client = await connectNative(server.url);
    const order: unknown[] = [];
    await Promise.all([60, 30, 0].map(async (ms) => order.push((await client.ask("echo", ms)).data)));
    expect(order).toEqual([60, 30, 0]);
  });

  test("costs nothing where there is none", () => {
    const layers = new MiddlewareStack({});
    layers.use("request", () => {});
    expect([layers.command, layers.frame, layers.handshake]).toEqual([undefined, undefined, undefined]);
    layers.use("message", () => {});
    expect([layers.command, layers.frame]).toEqual([expect.any(Function), expect.any(Function)]);
  });

  test("of no known kind is refused", async () => {
    const { server } = await start();
    expect(() => server.use("connect" as "request", () => {})).toThrow(TypeError);
    expect(() => server.use("request", undefined as never)).toThrow(TypeError);
  });
});

describe("the rules of the server's guards, as middleware (O24, S29, S30, S32)", () => {
  const proxied = { trustedProxies: ["loopback"] };
  const from = (address: string) => ({ "X-Forwarded-For": address });

  test("origins", async () => {
    const { server } = await start();
    server.websocket("/raw", {});
    server.use(allowOrigins(["https://good.example"]));
    server.use("handshake", (context, next) =>
      context.endpoint === "/raw" ? allowOrigins([], { missing: false })(context, next) : next(),
    );
    const ask = async (origin: string) => (await fetch(server.url, { headers: { Origin: origin } })).status;
    expect([await ask("https://good.example"), await ask("https://evil.example")]).toEqual([200, 403]);
    expect((await fetch(server.url)).status).toBe(200);
    expect(await statusOf(server, "/raw")).toBe(403);
    const evil = await connect(socketUrl(server.url, "/"), { headers: { Origin: "https://evil.example" } });
    expect((await evil.closed).code).toBe(4009);
    expect((await (await connectNative(server.url)).subscribe("x")).event).toBe("subscribed");
    expect(() => allowOrigins(["https://a/b"])).toThrow("no origin");
  });

  test("addresses", async () => {
    const { server } = await start(proxied);
    server.use("request", allowIps({ deny: ["192.0.2.0/24"] }));
    const ask = async (address: string) => (await fetch(server.url, { headers: from(address) })).status;
    expect([await ask("192.0.2.7"), await ask("198.51.100.1")]).toEqual([403, 200]);
    expect(await statusOf(server, "/", from("192.0.2.7"))).toBe(101);
  });

  test("rates, of addresses and of whatever a program counts", async () => {
    const { server } = await start(proxied);
    server.websocket("/raw", {});
    server.use("handshake", rateLimit({ perMinute: 2 }));
    server.use(
      "message",
      rateLimit({ perMinute: 3, by: (context) => (context.type === "message" ? "all" : undefined) }),
    );
    server.handle("echo", (_, data) => data);
    for (const status of [101, 101, 429]) expect(await statusOf(server, "/raw", from("192.0.2.7"))).toBe(status);
    expect(await statusOf(server, "/raw", from("192.0.2.8"))).toBe(101);
    for (let again = 0; again < 4; again++) expect(await statusOf(server, "/raw")).toBe(101);
    const raw = await connectRaw(server.url);
    const { status, headers } = await raw.handshake("/", from("192.0.2.7"));
    expect([status, Number(headers["retry-after"]) > 0]).toEqual([429, true]);
    const client = await connectNative(server.url);
    for (let again = 0; again < 3; again++) expect((await client.ask("echo", 1)).data).toBe(1);
    const refused = await client.ask("echo", 1);
    expect([refused.code, Number(refused.retryAfterMs) > 0]).toEqual(["rate_limited", true]);
    expect(() => rateLimit({ perMinute: 0 })).toThrow(RangeError);
  });
});
