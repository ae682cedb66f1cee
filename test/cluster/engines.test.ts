/** The same over NATS, and between the workers of one machine. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startNats } from "../support/nats.ts";
import { startProcess } from "../support/process.ts";
import { connectPusher, dialPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 100 };
const TEST_MS = 180_000;

/** How many of so many that come at once are let in; those stay. */
async function letIn(urls: readonly string[], count: number): Promise<number> {
  const came = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      // Closed so soon after the handshake, a client may never have seen it open.
      const socket = await dialPusher(urls[n % urls.length] ?? "").catch(() => undefined);
      return (await socket?.next())?.event === "pusher:connection_established";
    }),
  );
  return came.filter(Boolean).length;
}

test(
  "nodes on one NATS count an app's connections and calls together, and reach each other's connections",
  async () => {
    const nats = await startNats();
    const app = { anonymous: true, limits: { connections: 4 }, replayProtection: true };
    const config = { engine: "nats", nats: { servers: [`127.0.0.1:${nats.port}`] } } as const;
    const [one, other] = [await startServer(config, app), await startServer(config, app)];
    const [here, there] = [await connectPusher(one.url), await connectNative(other.url)];
    expect(await one.toConnection(there.id).push({ event: "you", data: 1 })).toBe(true);
    expect((await there.next("you")).data).toBe(1);
    await other.broadcast({ event: "all", data: 2 });
    for (const client of [here, there]) expect(String((await client.next("all")).data)).toBe("2");
    expect(await one.toConnection("1.1").isEstablished()).toBe(false);
    expect(await letIn([one.url, other.url], 10)).toBe(2);
    await eventually(async () => expect(await one.connections.countEverywhere()).toBe(4), PATIENCE);
    expect(await one.toConnection(there.id).disconnect()).toBe(true);
    await eventually(async () => (await connectPusher(one.url)).ping(), PATIENCE);
  },
  TEST_MS,
);

test(
  "a node on NATS that was told that an app is full hears of the place that another one gives back",
  async () => {
    const nats = await startNats();
    const config = { engine: "nats", nats: { servers: [`127.0.0.1:${nats.port}`] } } as const;
    const limits = { connections: 2 };
    const [one, other] = [await startServer(config, { limits }), await startServer(config, { limits })];
    const there = await connectPusher(other.url);
    await connectPusher(one.url);
    expect(await letIn([one.url], 1)).toBe(0);
    await there.close();
    await eventually(async () => (await connectPusher(one.url)).ping(), PATIENCE);
  },
  TEST_MS,
);

test(
  "workers of one machine count an app's connections together",
  async () => {
    const apps = [{ ...APP, limits: { connections: 5 } }];
    const server = await startProcess({ config: { apps }, args: ["--workers", "2"] });
    expect(await letIn([server.url], 16)).toBe(5);
    await eventually(async () => {
      const answer = await signedFetch(server.url, APP, "GET", "/connections");
      expect(await answer.json()).toEqual({ connections: 5 });
    }, PATIENCE);
  },
  TEST_MS,
);
