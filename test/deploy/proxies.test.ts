/** nginx, HAProxy and Caddy with the files in deploy/, between real clients and a real server (A50, S27, B37). */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import Pusher from "pusher-js";
import { libraryFor } from "../conformance/backend.ts";
import type { PusherTransport } from "../conformance/pusher-js.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, dialPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { DEPLOY, makeCertificate, PROXIES, startProxy } from "./proxy.ts";

setDefaultTimeout(30_000);

const SECURE = { id: "secure", key: "secure-key", secret: "secure-secret", requireTls: true };
const PREFIX = "/realtime";

const certificate = await makeCertificate();
const server = await startServer({
  path: PREFIX,
  trustedProxies: ["127.0.0.1"],
  apps: [{ ...APP, anonymous: true }, SECURE],
});

function openPusher(port: number, wsPath = "", transport: PusherTransport = "ws"): Pusher {
  const pusher = new Pusher(APP.key, {
    cluster: "",
    wsHost: "127.0.0.1",
    wsPort: port,
    wsPath,
    httpHost: "127.0.0.1",
    httpPort: port,
    forceTLS: false,
    enabledTransports: [transport],
    enableStats: false,
  });
  atEnd(() => pusher.disconnect());
  return pusher;
}

describe.each(PROXIES)("behind %s", (name) => {
  const starting = startProxy(name, { upstreamPort: server.port, certificate });

  test("a pusher-js client and a native one hear what the official library triggers, all through it (A50)", async () => {
    const { url, port } = await starting;
    const heard: unknown[] = [];
    const channel = openPusher(port).subscribe(`news-${name}`);
    channel.bind("paid", (data: unknown) => heard.push(data));
    await eventually(() => expect(channel.subscribed).toBe(true));
    const native = await connectNative(url);
    await native.subscribe(`news-${name}`);
    const { status } = await libraryFor(port).trigger(`news-${name}`, "paid", { sum: 7 });
    expect(status).toBe(200);
    expect(await native.next("paid")).toMatchObject({ data: { sum: 7 } });
    await eventually(() => expect(heard).toEqual([{ sum: 7 }]));
  });

  test.each<PusherTransport>(["xhr_streaming", "xhr_polling"])(
    "pusher-js comes by %s, and each event at once",
    async (by) => {
      const { port } = await starting;
      const heard: unknown[] = [];
      const channel = openPusher(port, "", by).subscribe(`${by}-${name}`);
      channel.bind("n", (data: unknown) => heard.push(data));
      await eventually(() => expect(channel.subscribed).toBe(true));
      // Each is awaited before the next: none is held back until there are more.
      for (let n = 1; n <= 5; n++) {
        await server.toChannel(`${by}-${name}`).push({ event: "n", data: { n } });
        await eventually(() => expect(heard).toHaveLength(n));
      }
      expect(heard).toEqual([1, 2, 3, 4, 5].map((n) => ({ n })));
    },
  );

  test.each(["/ws", PREFIX])("both protocols and the HTTP API work below %s", async (prefix) => {
    const { url, port } = await starting;
    const pusher = openPusher(port, prefix);
    await eventually(() => expect(pusher.connection.state).toBe("connected"));
    const natives = [await connectNative(url, { path: `${prefix}/` }), await connectNative(url, { path: prefix })];
    for (const native of natives) await native.subscribe("prefixed");
    const event = { name: "hello", channel: "prefixed", data: "{}" };
    const signed = [{}, { tamper: { path: `${prefix}/apps/${APP.id}/events` } }];
    // Libraries that know of the prefix sign it; where the proxy takes it off, only the rest can be checked.
    for (const options of prefix === PREFIX ? signed : signed.slice(0, 1)) {
      const answer = await signedFetch(url + prefix, APP, "POST", "/events", { body: event, ...options });
      expect(answer.status).toBe(200);
      for (const native of natives) expect(await native.next("hello")).toMatchObject({ channel: "prefixed" });
    }
    expect((await fetch(`${url}${prefix}/health`)).status).toBe(200);
  });

  test("the server sees the client's address, whatever the client claims (A50)", async () => {
    const { port } = await starting;
    // One for each proxy, so that none finds what was left by another.
    const own = `127.0.0.${2 + PROXIES.indexOf(name)}`;
    await handshakeFrom(own, port, { "X-Forwarded-For": "203.0.113.7" });
    const addresses = () => Array.from(server.connections, ({ address }) => address);
    await eventually(() => expect(addresses()).toContain(own));
    expect(addresses()).not.toContain("203.0.113.7");
  });

  test("TLS ends at the proxy, and nobody can only claim to have it", async () => {
    const { url, secureUrl } = await starting;
    const liar = await dialPusher(url, { app: SECURE, headers: { "X-Forwarded-Proto": "https" } });
    expect((await liar.closed).code).toBe(4000);
    const secure = secureUrl.replace("https", "wss");
    const options = { tls: { ca: certificate.pem } } as unknown as string[];
    const socket = new WebSocket(`${secure}/app/${SECURE.key}?protocol=7`, options);
    atEnd(() => socket.close());
    const first = await new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)));
      socket.onclose = reject;
    });
    expect(first).toMatchObject({ event: "pusher:connection_established" });
  });
});

test("the timeouts in the files outlast the silence after which Fanfare pings", async () => {
  const { activityTimeoutS, pongTimeoutS } = server.config;
  for (const [file, setting] of [
    ["nginx.conf", "proxy_read_timeout"],
    ["nginx.conf", "proxy_send_timeout"],
    ["haproxy.cfg", "timeout tunnel"],
    ["kubernetes.yaml", 'proxy-read-timeout: "'],
    ["kubernetes.yaml", 'proxy-send-timeout: "'],
  ] as const) {
    const text = readFileSync(join(DEPLOY, file), "utf8");
    const seconds = Number(new RegExp(`${setting}\\s*(\\d+)`).exec(text)?.[1]);
    expect([file, setting, seconds]).toEqual([file, setting, 3600]);
    expect(seconds).toBeGreaterThan(activityTimeoutS + pongTimeoutS);
  }
});

test("a client that says nothing stays connected, because the server's pings pass, and hears the farewell", async () => {
  // Pings come at most 1.5 s apart, so a proxy that did not see them would cut after 3 s.
  const lively = await startServer({ activityTimeoutS: 0.3 });
  const place = { upstreamPort: lively.port, certificate };
  const impatient = await Promise.all([
    startProxy("nginx", { ...place, changes: { "_timeout 3600s": "_timeout 3s" } }),
    startProxy("HAProxy", { ...place, changes: { "timeout tunnel 3600s": "timeout tunnel 3s" } }),
  ]);
  const clients = await Promise.all(impatient.map(({ url }) => connectPusher(url)));
  await Bun.sleep(4_500);
  expect(clients.map(({ socket }) => socket.isOpen)).toEqual([true, true]);
  await lively.stop();
  const endings = await Promise.all(clients.map(({ socket }) => socket.closed));
  expect(endings.map(({ code }) => code)).toEqual([4200, 4200]);
});

test("a proxy that cuts after its stock 60 s cuts no idle client of the default configuration", async () => {
  // Six times as fast: nginx cuts after 10 s, and Fanfare speaks after a sixth of its default. It looks for the silent once a second, as always.
  const { activityTimeoutS } = server.config;
  const changes = { "_timeout 3600s": "_timeout 10s" };
  const behind = async (timeoutS: number) => {
    const { port: upstreamPort } = await startServer({ activityTimeoutS: timeoutS / 6 }, { anonymous: true });
    return (await startProxy("nginx", { upstreamPort, certificate, changes })).url;
  };
  const [usual, slow] = [await behind(activityTimeoutS), await behind(120)];
  const old = await dialPusher(usual, { query: "protocol=4" });
  const idle = [(await connectPusher(usual)).socket, old, (await connectNative(usual)).socket];
  // What Fanfare told clients before, and Pusher does: nginx is the first to speak.
  const cut = await connectPusher(slow);
  expect((await cut.socket.closed).code).toBe(1006);
  expect(idle.map(({ isOpen }) => isOpen)).toEqual([true, true, true]);
});

/** From another address than the proxy's own; a WebSocket in Bun cannot choose. */
async function handshakeFrom(localAddress: string, port: number, headers: Record<string, string>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const upgrade = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const path = `/app/${APP.key}?protocol=7`;
  const asking = request({ host: "127.0.0.1", port, path, localAddress, headers: { ...upgrade, ...headers } });
  asking.on("upgrade", (_response, socket) => {
    atEnd(() => socket.destroy());
    resolve();
  });
  asking.on("response", ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
  asking.on("error", reject);
  asking.end();
  await promise;
}
