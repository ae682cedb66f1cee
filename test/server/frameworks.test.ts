/** Web frameworks on the server's port, as their users would put them there. */

import { describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { createServer, type FetchContext, type Server, type ServerOptions } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { APP } from "../support/server.ts";

const limits = { httpBodyBytes: 1000 };

async function start(fetch: NonNullable<ServerOptions["fetch"]>): Promise<Server> {
  const apps = [{ ...APP, anonymous: true }];
  const server = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, apps, limits, fetch });
  atEnd(() => server.stop());
  await server.start();
  return server;
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

describe("Hono (O25)", () => {
  function hono(): Hono<{ Bindings: FetchContext<Server> }> {
    const app = new Hono<{ Bindings: FetchContext<Server> }>();
    app.get("/page/:name", (c) => c.html(`<h1>${c.req.param("name")}</h1>`));
    app.post("/orders/:id", async (c) => {
      const { by } = await c.req.json<{ by: string }>();
      await c.env.server.toChannel("orders").push({ event: "paid", data: { id: c.req.param("id"), by } });
      return c.text("paid");
    });
    app.get("/ticks", (c) =>
      streamSSE(c, async (stream) => {
        for (let tick = 0; !stream.aborted; tick++) {
          await stream.writeSSE({ data: String(tick) });
          await stream.sleep(20);
        }
      }),
    );
    app.get("/bug", () => {
      throw new Error("a secret");
    });
    return app;
  }

  test("routes requests, and pushes from them", async () => {
    const server = await start(hono().fetch);
    const client = await connectNative(server.url);
    await client.subscribe("orders");
    expect(await (await fetch(`${server.url}/page/ada`)).text()).toBe("<h1>ada</h1>");
    expect((await post(`${server.url}/orders/7`, { by: "ada" })).status).toBe(200);
    expect((await client.next("paid")).data).toEqual({ id: "7", by: "ada" });
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
  });

  test("is bounded in what it reads, and its bugs stay its own", async () => {
    const server = await start(hono().fetch);
    expect((await post(`${server.url}/orders/7`, { by: "a".repeat(1000) })).status).toBe(413);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(400)) });
    const answer = await fetch(`${server.url}/orders/7`, { method: "POST", body: endless }).catch(() => undefined);
    // The server may have hung up before the client looked at its answer.
    if (answer) expect(answer.status).toBe(413);
    const bug = await fetch(`${server.url}/bug`);
    expect([bug.status, await bug.text()]).toEqual([500, "Internal Server Error"]);
    expect((await fetch(`${server.url}/page/ada`)).status).toBe(200);
  });

  test("streams events until the server stops", async () => {
    const server = await start(hono().fetch);
    const answer = await fetch(`${server.url}/ticks`);
    let text = "";
    const reading = (async () => {
      for await (const chunk of answer.body ?? []) text += new TextDecoder().decode(chunk);
    })();
    await eventually(() => expect(text).toContain("data: 3\n\n"));
    await server.stop();
    await reading;
    expect(text).toStartWith("data: 0\n\n");
  });
});

describe("Elysia (O25)", () => {
  test("routes requests, and reads bodies", async () => {
    const app = new Elysia()
      .get("/page/:name", ({ params }) => `page of ${params.name}`)
      .post("/echo", ({ body }) => ({ body }))
      .get("/bug", () => {
        throw new Error("broken");
      });
    const server = await start((request) => app.fetch(request));
    expect(await (await fetch(`${server.url}/page/ada`)).text()).toBe("page of ada");
    expect(await (await post(`${server.url}/echo`, { a: 1 })).json()).toEqual({ body: { a: 1 } });
    expect((await post(`${server.url}/echo`, { a: "a".repeat(1000) })).status).toBe(413);
    expect((await fetch(`${server.url}/bug`)).status).toBe(500);
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
  });
});
