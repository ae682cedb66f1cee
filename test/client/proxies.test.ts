/** The client behind what stands between it and a server and does harm: proxies that answer wrongly, late, or never. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import { makeCertificate, startProxy as startReverseProxy } from "../deploy/proxy.ts";
import { atEnd } from "../support/at-end.ts";
import { CLUSTER_APP } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startServer } from "../support/server.ts";
import { listen, openClient, signedIn } from "./client-contract.ts";

setDefaultTimeout(60_000);

const PATIENCE = { withinMs: 30_000, everyMs: 20 };

const server = await startServer({}, { ...CLUSTER_APP });

/** Each gives a port. */
const HARMFUL: Readonly<Record<string, () => Promise<number>>> = {
  "nobody listens": () => freePort(),
  "a connection is accepted and never answered": async () => {
    const silent = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    atEnd(() => silent.close());
    const address = silent.address();
    return typeof address === "object" && address ? address.port : 0;
  },
  "the answer is 502": async () => answering(new Response("Bad Gateway", { status: 502 })),
  "the answer is 429": async () => answering(new Response("Too Many", { status: 429 })),
  "the answer is a page": async () => answering(new Response("<h1>Sign in to this network</h1>")),
  "a socket opens and says nothing": async () => socketThat(() => {}),
  "a socket opens and closes": async () => socketThat((socket) => socket.close(1001)),
  "a socket says what is no JSON": async () => socketThat((socket) => void socket.send("<html>")),
};

describe.each(Object.entries(HARMFUL))("where %s", (_what, start) => {
  test("a client is connected by the next address", async () => {
    const client = openClient([await start(), server.port], {
      ...(await signedIn("ada")),
      timeouts: { connectMs: 500 },
    });
    await client.connected();
    expect(client.snapshot).toMatchObject({ state: "connected", url: expect.stringContaining(String(server.port)) });
  });

  test("a client with no other address goes on trying, and tells why", async () => {
    const client = openClient(await start(), { ...(await signedIn("ada")), timeouts: { connectMs: 200 } });
    client.connect();
    await eventually(() => expect(client.snapshot.attempt).toBeGreaterThan(1), PATIENCE);
    await eventually(() => expect(client.snapshot).toMatchObject({ error: { retryable: true } }), PATIENCE);
    expect(["connecting", "reconnecting"]).toContain(client.snapshot.state);
  });
});

test("a client that is quiet behind nginx with a short proxy_read_timeout is cut off again and again, and misses nothing", async () => {
  const certificate = await makeCertificate();
  const changes = { "proxy_read_timeout 3600s": "proxy_read_timeout 1s" };
  const { port } = await startReverseProxy("nginx", { upstreamPort: server.port, certificate, changes });
  // As it is by default: it pings more seldom than nginx cuts.
  const ada = openClient(port, { ...(await signedIn("ada")), timeouts: {} });
  const bob = openClient(server.port, await signedIn("bob"));
  const heard = listen(ada.channel("kept-quiet"));
  let cuts = 0;
  let state = "";
  ada.subscribe(() => {
    if (ada.snapshot.state === "reconnecting" && state !== "reconnecting") cuts++;
    state = ada.snapshot.state;
  });
  for (let n = 0; n < 3; n++) {
    await eventually(() => expect(cuts).toBe(n + 1), PATIENCE);
    await bob.channel("kept-quiet").publish("message", n);
  }
  await eventually(() => expect(heard).toEqual([0, 1, 2]), PATIENCE);
});

test("a client that pings more often than nginx cuts is not cut off", async () => {
  const certificate = await makeCertificate();
  const changes = { "proxy_read_timeout 3600s": "proxy_read_timeout 2s" };
  const { port } = await startReverseProxy("nginx", { upstreamPort: server.port, certificate, changes });
  const client = openClient(port, { ...(await signedIn("ada")), timeouts: { pingMs: 500 } });
  await client.connected();
  const { id } = client.snapshot;
  await Bun.sleep(4_500);
  expect(client.snapshot).toMatchObject({ state: "connected", id });
});

function answering(response: Response): number {
  const site = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => response.clone() });
  atEnd(() => site.stop(true));
  return site.port ?? 0;
}

function socketThat(acts: (socket: Bun.ServerWebSocket<undefined>) => void): number {
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, it) => (it.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: { open: acts, message() {} },
  });
  atEnd(() => site.stop(true));
  return site.port ?? 0;
}
