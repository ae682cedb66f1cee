/** `fanfare doctor --url`: what a proxy does to HTTP streams, with real nginx where it is about buffers and timeouts. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { connect, createServer } from "node:net";
import { checkStreams, type StreamCheck } from "../../packages/server/src/cli/doctor/streams.ts";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import { makeCertificate, type ProxyOptions, startProxy } from "../deploy/proxy.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { APP, startServer } from "../support/server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(30_000);

const server = await startServer();
const certificate = await makeCertificate();
const { http } = parseConfig({});

async function told(url: string, check: Partial<StreamCheck> = {}) {
  const [finding, ...more] = await checkStreams(url, APP.key, { http, watchMs: 500, patienceMs: 1_500, ...check });
  expect(more).toEqual([]);
  return finding;
}

async function nginx(changes: NonNullable<ProxyOptions["changes"]>): Promise<string> {
  return (await startProxy("nginx", { upstreamPort: server.port, certificate, changes })).url;
}

const READ_TIMEOUT = "proxy_read_timeout 3600s;";
const DEFAULT_TIMEOUT = "proxy_read_timeout 60s;";

test("nginx as it is delivered passes streams on, since the server asks it not to buffer", async () => {
  const url = await nginx({ [READ_TIMEOUT]: DEFAULT_TIMEOUT });
  for (const prefix of ["", "/ws"]) {
    expect(await told(url + prefix)).toEqual({
      check: "streams",
      level: "ok",
      says: expect.stringMatching(
        /^HTTP streams pass: an answer came after \d+ ms, and a silent one stayed open for 0\.5 s$/,
      ),
    });
  }
});

// Of chunks, as upstreams of HTTP 1.1 send them, nginx holds back only what it compresses.
test.each(["proxy_http_version 1.0;", "proxy_http_version 1.1; gzip on; gzip_types *;"])(
  "nginx that buffers whatever the server asks for is found, and it is said what to set (%s)",
  async (how) => {
    const ignoring = `${how} proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;`;
    const finding = await told(await nginx({ "proxy_http_version 1.1;": ignoring }));
    expect(finding).toMatchObject({
      level: "problem",
      says: expect.stringMatching(/^the proxy holds HTTP streams back: .* within 1\.5 s$/),
    });
    expect(finding?.change).toContain("nginx: proxy_buffering off");
  },
);

test("nginx that cuts what is silent is told from one that cuts everything", async () => {
  const url = await nginx({ [READ_TIMEOUT]: "proxy_read_timeout 2s;" });
  const finding = await told(url, { watchMs: 4_000 });
  expect(finding).toMatchObject({
    level: "problem",
    says: expect.stringMatching(/^the proxy cuts a response that is silent: after 2(\.\d)? s$/),
  });
  expect(finding?.change).toMatch(
    /nginx: proxy_read_timeout .* or set http\.keepAliveS \(25\) and http\.pollS \(25\) to 1 at most$/,
  );
});

test("a proxy that ends every response after some time is found, with what that does to clients", async () => {
  const finding = await told(await cuttingAfter(1_000), { watchMs: 3_000 });
  expect(finding).toMatchObject({
    level: "warning",
    says: expect.stringMatching(/^the proxy cuts every response, written to or not: after [01](\.\d)? s$/),
  });
  expect(finding?.change).toMatch(/pusher-js polls .*; set http\.pollS \(25\) to less than that$/);
});

/** Passes bytes on, and closes each connection so long after it was opened. */
async function cuttingAfter(ms: number): Promise<string> {
  const proxy = createServer((near) => {
    const far = connect(server.port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on("error", () => {});
    setTimeout(() => {
      near.destroy();
      far.destroy();
    }, ms);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  atEnd(() => proxy.close());
  const address = proxy.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

test("a connection that is dead though nobody closed it is found", async () => {
  const { port, connections } = await startServer();
  const proxy = new TcpProxy(port);
  await proxy.start();
  atEnd(() => proxy.cut());
  const finding = told(`http://127.0.0.1:${proxy.port}`, { watchMs: 2_000, patienceMs: 800 });
  await eventually(() => expect(connections.count()).toBe(2));
  await Bun.sleep(200);
  proxy.strand();
  expect(await finding).toMatchObject({
    level: "problem",
    says: expect.stringContaining("is dead, though nobody has closed it"),
  });
});

test("a proxy that passes only WebSockets on, or lets nobody send, is found", async () => {
  const allowing = (allowed: (path: string) => boolean) => {
    const proxy = Bun.serve({
      port: 0,
      fetch: (request) => {
        const { pathname, search } = new URL(request.url);
        if (!allowed(pathname)) return new Response("no", { status: 404 });
        return fetch(`${server.url}${pathname}${search}`, { method: request.method, signal: request.signal });
      },
    });
    atEnd(() => proxy.stop(true));
    return proxy.url.origin;
  };
  const withoutRt = await checkStreams(
    allowing((path) => !path.startsWith("/rt/")),
    APP.key,
    { http, watchMs: 100 },
  );
  expect(withoutRt[0]).toMatchObject({
    level: "problem",
    says: expect.stringMatching(/^POST .*\/rt\/stream is answered 404 \(no\)$/),
  });
  expect(await told(allowing((path) => path.startsWith("/rt/")))).toMatchObject({
    says: "an HTTP stream (POST /pusher/app/…/xhr_streaming) is answered 404",
  });
  expect(await told(allowing((path) => !path.endsWith("/xhr_send")))).toMatchObject({
    says: "what a client sends by HTTP (POST /pusher/app/…/xhr_send) is answered 404",
  });
});

test("a refusal by the server is not laid at the proxy's door, and what is switched off is not looked at", async () => {
  const [refused] = await checkStreams(server.url, "nobodys-key", { http, watchMs: 100 });
  expect(refused).toMatchObject({
    level: "warning",
    says: expect.stringContaining("the server ended one with c[4001,"),
  });
  const off = (pusher: boolean, native: boolean) => told(server.url, { http: { ...http, pusher, native } });
  expect((await off(false, false))?.says).toContain("nobody may come by HTTP");
  expect((await off(false, true))?.says).toContain("http.pusher is off");
  const [unreachable] = await checkStreams("http://127.0.0.1:1", APP.key, { http, watchMs: 100 });
  expect(unreachable).toMatchObject({ level: "problem", says: expect.stringContaining("cannot be reached") });
});
