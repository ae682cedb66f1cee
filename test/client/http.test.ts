/** The HTTP transports of the client: what is numbered, what is asked again, and when they give up. */

import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Client, type ClientOptions, createClient, type Transport, webSocket } from "@fanfare/client";
import { poll, stream } from "@fanfare/client/http";
import { createStream } from "../../packages/client/src/http/stream.ts";
import { forgetWorking } from "../../packages/client/src/http/working.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { HttpProxy } from "./http-proxy.ts";
import { startWorld } from "./server-world.ts";

setDefaultTimeout(60_000);

const world = await startWorld({}, { http: { keepAliveS: 1, pollS: 1, sessionTimeoutS: 2 } });
const KINDS: [string, Transport][] = [
  ["stream", stream],
  ["poll", poll],
];

interface Line {
  readonly http: HttpProxy;
  readonly proxy: TcpProxy;
  readonly client: Client;
}

/** A client whose only way is a proxy before a http. */
async function startLine(transport: Transport, options: Partial<ClientOptions> = {}): Promise<Line> {
  const http = new HttpProxy(world.url);
  const proxy = await startProxy(http.port);
  const url = `ws://127.0.0.1:${proxy.port}`;
  const client = createClient({ url, transports: [transport], backoff: { minMs: 20, maxMs: 200 }, ...options });
  atEnd(() => client.close());
  return { http, proxy, client };
}

describe.each(KINDS)("%s", (name, transport) => {
  test("carries everything, and tells the server when it leaves", async () => {
    const { http, client } = await startLine(transport, { token: await makeToken({ sub: "ada", channels: ["*"] }) });
    const room = client.channel("presence-kept-talk");
    const heard: unknown[] = [];
    room.on("message", (data) => heard.push(data));
    await eventually(() => expect(room.members).toEqual([{ id: "ada" }]));
    expect(client.snapshot).toMatchObject({ state: "connected", transport: name, user: { id: "ada" } });
    // The token is in no address.
    expect(http.opened.at(-1)?.get("authorization")).toMatch(/^Bearer ey/);
    expect(http.requests.filter(({ search }) => /token|auth/.test(search))).toEqual([]);
    await world.publish("presence-kept-talk", "message", { text: "line\nbreak and 𝄞" });
    await eventually(() => expect(heard).toEqual([{ text: "line\nbreak and 𝄞" }]));
    client.close();
    await eventually(async () => expect(await world.server.members("presence-kept-talk")).toEqual([]));
    expect(http.of("close")).toHaveLength(1);
  });

  test("has no token in an address, also where it was given one", async () => {
    const http = new HttpProxy(world.url);
    const { promise, resolve } = Promise.withResolvers<string>();
    const token = await makeToken({ sub: "ada" });
    const socket = transport.open({
      ...{ url: `ws://127.0.0.1:${http.port}?token=${token}`, WebSocket: undefined },
      ...{ onOpen() {}, onFrame: resolve, onClose: (_, reason) => resolve(reason) },
    });
    atEnd(() => socket.close(1000));
    expect(JSON.parse(await promise).data.user).toEqual({ id: "ada" });
    expect(http.opened.at(-1)?.get("authorization")).toBe(`Bearer ${token}`);
    expect(http.requests.filter(({ search }) => search.includes("token"))).toEqual([]);
  });

  test("goes on where it was when it is cut: the connection, its place and all events stay", async () => {
    const { http, proxy, client } = await startLine(transport);
    const room = client.channel("plain");
    const heard: unknown[] = [];
    room.on("message", (data) => heard.push(data));
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    const { id } = client.snapshot;
    for (let n = 0; n < 60; n++) {
      await world.publish("plain", "message", n);
      if (n % 10 !== 5) continue;
      proxy.cut();
      setTimeout(() => proxy.mend(), 30);
    }
    const all = Array.from({ length: 60 }, (_, n) => n);
    await eventually(() => expect(heard).toEqual(all));
    expect(client.snapshot.id).toBe(id as string);
    expect(http.opened).toHaveLength(1);
  });

  test("sends what it does not know to have arrived again, and the server takes it once", async () => {
    const { http, client } = await startLine(transport);
    const room = client.channel("kept-sent");
    const heard: unknown[] = [];
    world
      .directClient()
      .channel("kept-sent")
      .on("message", (data) => heard.push(data));
    await client.connected();
    let lost = 0;
    http.intercept = async (url, _body, forward) => {
      if (!url.pathname.endsWith("/send") || ++lost % 3 === 0) return undefined;
      await forward();
      return new Response(null, { status: lost % 3 === 1 ? 502 : 503 });
    };
    const published = Array.from({ length: 20 }, (_, n) => room.publish("message", n));
    await Promise.all(published);
    await eventually(() => expect(heard).toEqual(Array.from({ length: 20 }, (_, n) => n)));
    const seqs = http.of("send").map(({ searchParams }) => Number(searchParams.get("seq")));
    expect(seqs).toEqual([...seqs].sort((one, other) => one - other));
    expect(new Set(seqs).size).toBeLessThan(seqs.length);
  });

  test("leaves out what an earlier try brought, where the server says so", async () => {
    const { http, client } = await startLine(transport);
    const room = client.channel("kept-partly");
    const heard: unknown[] = [];
    world
      .directClient()
      .channel("kept-partly")
      .on("message", (data) => heard.push(data));
    room.hold();
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    http.intercept = async (url, body, forward) => {
      if (!url.pathname.endsWith("/send")) return undefined;
      http.intercept = undefined;
      await forward(body.split("\n")[0]);
      return Response.json({ expected: Number(url.searchParams.get("seq")) + 1 }, { status: 409 });
    };
    await Promise.all([1, 2, 3].map((n) => room.publish("message", n)));
    await eventually(() => expect(heard).toEqual([1, 2, 3]));
    expect(http.opened).toHaveLength(1);
  });

  test("connects anew with its positions when the server knows the session no more", async () => {
    const { http, client } = await startLine(transport);
    const room = client.channel("kept-gone");
    const heard: unknown[] = [];
    const gaps: unknown[] = [];
    room.on("message", (data) => heard.push(data));
    room.onGap((gap) => gaps.push(gap));
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    await world.publish("kept-gone", "message", 1);
    await eventually(() => expect(heard).toEqual([1]));
    await http.forget();
    await world.publish("kept-gone", "message", 2);
    await eventually(() => expect(heard).toEqual([1, 2]));
    await eventually(() => expect(room.snapshot).toEqual({ state: "attached", recovered: true }));
    expect([http.opened.length, gaps]).toEqual([2, []]);
  });

  test("gives up where the server is away for longer than it keeps a session", async () => {
    const { proxy, client } = await startLine(transport);
    await client.connected();
    proxy.cut();
    await eventually(() => expect(client.snapshot.state).toBe("reconnecting"), { withinMs: 20_000 });
    proxy.mend();
    await eventually(() => expect(client.snapshot.state).toBe("connected"));
  });

  test("ends as failed where the server says no for good, and not where something else does", async () => {
    const refused = await startLine(transport, { token: "no-token" });
    refused.client.connect();
    await eventually(() =>
      expect(refused.client.snapshot).toMatchObject({ state: "failed", error: { code: "token_invalid" } }),
    );
    const { http, client } = await startLine(transport);
    http.intercept = () => new Response("<h1>Blocked</h1>", { status: 403 });
    client.connect();
    await eventually(() => expect(client.snapshot.attempt).toBeGreaterThan(1));
    http.intercept = undefined;
    await eventually(() => expect(client.snapshot.state).toBe("connected"));
  });

  test("does not ask without end where answers are empty", async () => {
    const { http, client } = await startLine(transport);
    const room = client.channel("plain");
    room.hold();
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    http.intercept = (url) => (url.pathname.endsWith(`/${name}`) ? new Response("") : undefined);
    await http.forget();
    const before = http.requests.length;
    await eventually(() => expect(client.snapshot.state).toBe("reconnecting"), { withinMs: 20_000 });
    expect(http.requests.length - before).toBeLessThan(40);
  });
});

describe("several transports", () => {
  beforeEach(forgetWorking);

  test("are tried in order, and the one that works is remembered", async () => {
    const http = new HttpProxy(world.url);
    const proxy = await startProxy(http.port);
    // A proxy that holds back what is not complete.
    const isStream = (url: URL) => url.pathname.endsWith("/stream");
    http.intercept = (url) => (isStream(url) ? new Promise<Response>(() => {}) : undefined);
    const options = {
      url: `ws://127.0.0.1:${proxy.port}`,
      timeouts: { connectMs: 500 },
      transports: [webSocket, stream, poll],
    };
    const client = createClient(options);
    atEnd(() => client.close());
    client.connect();
    await eventually(() => expect(client.snapshot).toMatchObject({ state: "connected", transport: "poll" }));
    expect(http.of("stream")).toHaveLength(1);
    const other = createClient(options);
    atEnd(() => other.close());
    other.connect();
    await eventually(() => expect(other.snapshot).toMatchObject({ state: "connected", transport: "poll" }));
    expect(http.of("stream")).toHaveLength(1);
  });

  test("change back to a WebSocket when it works again, and nothing is lost or doubled by that", async () => {
    const http = new HttpProxy(world.url);
    const [proxy, blocked] = [await startProxy(http.port), { isBlocked: true }];
    const sockets: string[] = [];
    // What lets WebSockets through leads them past the http.
    const line: Transport = {
      ...webSocket,
      open: (request) => {
        sockets.push(request.url);
        const port = blocked.isBlocked ? proxy.port : new URL(world.url).port;
        return webSocket.open({ ...request, url: request.url.replace(String(proxy.port), String(port)) });
      },
    };
    const client = createClient({
      url: `ws://127.0.0.1:${proxy.port}`,
      token: await makeToken({ sub: "ada", channels: ["*"] }),
      transports: [line, createStream(50)],
    });
    atEnd(() => client.close());
    const room = client.channel("presence-kept-switch");
    // Who does not listen any more for events of the user, which cannot be recovered, holds nothing up.
    client.onUser("paid", () => {})();
    const watcher = world.directClient({ token: await makeToken({ sub: "bob", channels: ["*"] }) });
    const left: string[] = [];
    watcher.channel("presence-kept-switch").onLeave(({ id }) => left.push(id));
    const [heard, gaps] = [[] as unknown[], [] as unknown[]];
    room.on("message", (data) => heard.push(data));
    room.onGap((gap) => gaps.push(gap));
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    expect(client.snapshot.transport).toBe("stream");
    for (let n = 0; n < 100; n++) {
      await world.publish("presence-kept-switch", "message", n);
      if (n === 20) blocked.isBlocked = false;
      if (n === 20) await eventually(() => expect(client.snapshot.transport).toBe("websocket"));
    }
    await eventually(() => expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => n)));
    expect([gaps, left]).toEqual([[], []]);
    // The server ends the old one by itself.
    expect(http.of("close")).toEqual([]);
  });

  test("stay where a channel keeps nothing, until the connection is lost anyway", async () => {
    const http = new HttpProxy(world.url);
    const sockets: string[] = [];
    let isBlocked = true;
    const line: Transport = {
      ...webSocket,
      open: (request) => {
        sockets.push(request.url);
        const url = isBlocked ? request.url : request.url.replace(String(http.port), new URL(world.url).port);
        return webSocket.open({ ...request, url });
      },
    };
    const client = createClient({ url: `ws://127.0.0.1:${http.port}`, transports: [line, createStream(20)] });
    atEnd(() => client.close());
    const room = client.channel("plain-switch");
    room.hold();
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    isBlocked = false;
    const before = sockets.length;
    await eventually(() => expect(sockets.length).toBeGreaterThan(before + 1));
    expect(client.snapshot.transport).toBe("stream");
    await http.forget();
    await eventually(() => expect(client.snapshot).toMatchObject({ state: "connected", transport: "websocket" }));
  });
});
