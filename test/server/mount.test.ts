/** The program's own HTTP beside the server's: what reaches it, what it can push, and what it cannot harm. */

import { describe, expect, test } from "bun:test";
import { createServer, type FetchHandler, type Server, type ServerOptions } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectRaw } from "../support/raw-socket.ts";
import { APP } from "../support/server.ts";

async function serve(fetch: FetchHandler<Server>, options: ServerOptions = {}): Promise<Server> {
  const server = createServer({
    host: "127.0.0.1",
    port: 0,
    drainTimeoutS: 5,
    log: { level: "silent" },
    apps: [{ ...APP, anonymous: true }],
    fetch,
    ...options,
  });
  atEnd(() => server.stop());
  await server.start();
  return server;
}

function failuresOf(server: Server): string[] {
  const failures: string[] = [];
  server.on("error", (error, during) => failures.push(`${during}: ${error instanceof Error ? error.message : error}`));
  return failures;
}

describe("a handler of HTTP requests", () => {
  test("gets every request that is none of the server's own (O14, O23)", async () => {
    const server = await serve((request) => new Response(`${request.method} ${new URL(request.url).pathname}`));
    const ask = async (path: string, method = "GET") => (await fetch(server.url + path, { method })).text();
    expect(await ask("/")).toBe("GET /");
    expect(await ask("/a/b?c", "DELETE")).toBe("DELETE /a/b");
    expect(await ask("/admin/apps/7/edit")).toBe("GET /admin/apps/7/edit");
    expect(await ask("/app/key")).toBe("GET /app/key");
    expect(JSON.parse(await ask("/health"))).toEqual({ status: "ok" });
    expect(JSON.parse(await ask("/apps/none/channels"))).toMatchObject({ code: "app_unknown" });
  });

  test("takes the place of the page for newcomers, and can be taken off again", async () => {
    const server = await serve(() => new Response("mine"));
    expect(await (await fetch(server.url)).text()).toBe("mine");
    server.mount(undefined);
    expect(await (await fetch(server.url)).text()).toContain("Your server is running");
    server.mount(async () => new Response("another"));
    expect(await (await fetch(server.url)).text()).toBe("another");
  });

  test("pushes to all clients from a request, which is answered 200 (O21)", async () => {
    const server = await serve(async (request, { server, address }) => {
      await server.broadcast({ event: "news", data: { text: await request.text(), address } });
      return new Response("sent");
    });
    const clients = await Promise.all([connectNative(server.url), connectNative(server.url)]);
    const answer = await fetch(`${server.url}/broadcast`, { method: "POST", body: "hi" });
    expect(answer.status).toBe(200);
    for (const client of clients)
      expect((await client.next("news")).data).toEqual({ text: "hi", address: "127.0.0.1" });
  });

  test("never sees a WebSocket handshake", async () => {
    const seen: string[] = [];
    const server = await serve((request) => {
      seen.push(request.url);
      return new Response();
    });
    const raw = await connectRaw(server.url);
    expect((await raw.handshake("/no/such/path")).status).toBe(101);
    expect(seen).toEqual([]);
  });

  test.each([
    ["throws", () => Promise.reject(new Error("a secret")), "an HTTP request: a secret"],
    [
      "throws at once",
      () => {
        throw new Error("a secret");
      },
      "an HTTP request: a secret",
    ],
    [
      "returns something else",
      () => "hello" as unknown as Response,
      "an HTTP request: The handler of HTTP requests returned string for a Response.",
    ],
  ])("that %s is answered 500, without its words", async (_, handler, failure) => {
    const server = await serve(handler as FetchHandler<Server>);
    const failures = failuresOf(server);
    const answer = await fetch(server.url);
    expect(answer.status).toBe(500);
    expect(await answer.json()).toEqual({ error: "Something went wrong on the server.", code: "internal" });
    await eventually(() => expect(failures).toEqual([failure]));
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });
});

describe("a request's body", () => {
  const limits = { httpBodyBytes: 1000 };
  const echo: FetchHandler<Server> = async (request) => new Response(String((await request.text()).length));

  test("may be as large as the limit says, with its length or without", async () => {
    const server = await serve(echo, { limits });
    const whole = await fetch(server.url, { method: "POST", body: "x".repeat(1000) });
    expect(await whole.text()).toBe("1000");
    expect((await fetch(server.url, { method: "POST", body: "x".repeat(1001) })).status).toBe(413);
    const raw = await connectRaw(server.url);
    raw.write("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    raw.write(`3e8\r\n${"x".repeat(1000)}\r\n0\r\n\r\n`);
    await raw.closed;
    expect(raw.text).toStartWith("HTTP/1.1 200 OK");
    expect(raw.text).toEndWith("1000");
  });

  test.each([
    ["reads it", echo],
    ["hides the error", async (request: Request) => new Response(await request.text().catch(() => "fine"))],
    ["answers nonsense", async (request: Request) => (await request.text().catch(() => 1)) as unknown as Response],
  ])("without end is answered 413 when the handler %s", async (_, handler) => {
    const server = await serve(handler, { limits });
    const failures = failuresOf(server);
    const raw = await connectRaw(server.url);
    raw.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let sent = 0; sent < 5; sent++) raw.write(`190\r\n${"x".repeat(400)}\r\n`);
    await raw.until(() => raw.text.includes("data_too_large"), "the refusal");
    expect(raw.text).toStartWith("HTTP/1.1 413");
    expect(failures).toEqual([]);
  });
});

describe("a body that is not read", () => {
  test("is no hindrance to the next request", async () => {
    const server = await serve(({ url }) => new Response(new URL(url).pathname), {
      limits: { httpBodyBytes: 5_000_000 },
    });
    const body = new Uint8Array(2_000_000);
    for (const path of ["/1", "/2", "/3"]) {
      expect(await (await fetch(server.url + path, { method: "POST", body })).text()).toBe(path);
    }
  });
});

describe("an answer", () => {
  test("may take longer than a client may be silent", async () => {
    const slow = async (request: Request) => {
      await request.text();
      await Bun.sleep(2_500);
      return new Response("at last");
    };
    const server = await serve(slow, { limits: { handshakeTimeoutS: 1 } });
    const answers = [fetch(server.url), fetch(server.url, { method: "POST", body: "x" })];
    expect(await Promise.all(answers.map(async (answer) => (await answer).text()))).toEqual(["at last", "at last"]);
  });

  test("may be a stream of events, which ends in good order when the server stops", async () => {
    let cancelled = false;
    const events = () => {
      let count = 0;
      const body = new ReadableStream({
        async pull(controller) {
          await Bun.sleep(20);
          controller.enqueue(`data: ${count++}\n\n`);
        },
        cancel() {
          cancelled = true;
        },
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream", "X-Kept": "yes" } });
    };
    const server = await serve(events, { drainTimeoutS: 30 });
    const answer = await fetch(server.url);
    expect(answer.headers.get("x-kept")).toBe("yes");
    const whole = answer.text();
    await Bun.sleep(200);
    const before = performance.now();
    await server.stop();
    expect(performance.now() - before).toBeLessThan(10_000);
    expect(await whole).toStartWith("data: 0\n\ndata: 1\n\n");
    await eventually(() => expect(cancelled).toBe(true));
  });

  test("whose client is gone aborts the handler, and is no failure", async () => {
    const seen = Promise.withResolvers<string>();
    const server = await serve(async (request) => {
      request.signal.addEventListener("abort", () => seen.resolve("gone"));
      await seen.promise;
      throw request.signal.reason;
    });
    const failures = failuresOf(server);
    const leaving = new AbortController();
    const answer = fetch(server.url, { signal: leaving.signal }).catch((error: Error) => error.name);
    setTimeout(() => leaving.abort(), 100);
    expect(await answer).toBe("AbortError");
    expect(await seen.promise).toBe("gone");
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(failures).toEqual([]);
  });

  test("that breaks off in the middle harms no other client", async () => {
    const server = await serve(({ url }) => {
      if (!url.endsWith("/bad")) return new Response("fine");
      const body = new ReadableStream({
        async pull(controller) {
          controller.enqueue("data: 1\n\n");
          await Bun.sleep(20);
          controller.error(new Error("broke off"));
        },
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    });
    const failures = failuresOf(server);
    expect(await (await fetch(`${server.url}/bad`)).text()).toStartWith("data: 1\n\n");
    await eventually(() => expect(failures).toEqual(["an event stream: broke off"]));
    expect(await (await fetch(server.url)).text()).toBe("fine");
  });

  test("still under way is waited for while the server drains, and its handler can see that", async () => {
    const server = await serve(async (_, { draining }) => {
      await new Promise((resolve) => draining.addEventListener("abort", resolve));
      await Bun.sleep(50);
      return new Response("finished");
    });
    const answer = fetch(server.url).then((response) => response.text());
    await Bun.sleep(100);
    await server.stop();
    expect(await answer).toBe("finished");
  });
});
