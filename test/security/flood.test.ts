/**
 * A flood of connections from one address: the cap holds, and everybody else comes in (scenario 61, scaled down). A flood of
 * frames from one connection: it is slowed and then cut, and everybody else is answered as before.
 */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Server } from "../../packages/server/src/index.ts";
import { knock } from "../guards/knock.ts";
import { eventually } from "../support/eventually.ts";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

const SOCKETS = 300;
const CAP = 50;

async function flood(url: string, options: Parameters<typeof knock>[1]) {
  const knocked = await Promise.all(Array.from({ length: SOCKETS }, () => knock(url, options)));
  return {
    inside: knocked.filter(({ status }) => status === 101),
    outside: knocked.filter((one) => one.status !== 101),
  };
}

describe.each([
  ["straight", { trustedProxies: ["192.0.2.1"] }, { from: "127.0.0.1" }, { from: "127.0.0.2" }],
  [
    "through a proxy",
    { trustedProxies: ["loopback"] },
    { forwardedFor: "203.0.113.9" },
    { forwardedFor: "203.0.113.9, 203.0.113.10" },
  ],
  [
    "through a proxy, with a made-up address in front of each",
    { trustedProxies: ["loopback"] },
    { forwardedFor: "198.51.100.1, 203.0.113.9" },
    { forwardedFor: "198.51.100.1" },
  ],
])("a flood that comes %s", (_, proxies, attacker, others) => {
  test("gets as many connections as one address may have, and others get theirs (scenario 61)", async () => {
    const server = await startServer({ ...proxies, limits: { connectionsPerIp: CAP } });
    const { inside, outside } = await flood(server.url, attacker);
    expect(inside).toHaveLength(CAP);
    expect(new Set(outside.map(({ status }) => status))).toEqual(new Set([429]));
    expect(new Set(outside.map(({ headers }) => headers["retry-after"]))).toEqual(new Set(["5"]));
    expect(server.app().connections.count()).toBe(CAP);

    const calm = await Promise.all(Array.from({ length: CAP }, () => knock(server.url, others)));
    expect(new Set(calm.map(({ status }) => status))).toEqual(new Set([101]));

    for (const { socket } of inside) socket.cut();
    await eventually(() => expect(server.app().connections.count()).toBe(CAP));
    expect((await flood(server.url, attacker)).inside).toHaveLength(CAP);
  });
});

test("by default nobody is capped, so that nobody suffers for sharing a proxy", async () => {
  const server = await startServer();
  expect((await flood(server.url, {})).inside).toHaveLength(SOCKETS);
});

const FLOODER = join(import.meta.dir, "flooder.ts");
const PUSHER = `/app/${APP.key}?protocol=7`;
const KINDS = [
  ["ping", PUSHER],
  ["native ping", "/"],
  ["WebSocket ping", PUSHER],
  ["subscribe", PUSHER],
  ["native subscribe", "/"],
  ["garbage", PUSHER],
  ["recover", "/"],
  ["garbage", "/raw"],
  ["WebSocket ping", "/raw"],
] as const;
/** What others may have to wait for, in the ninety-ninth of a hundred. */
const BOUND_MS = 100;
const FLOOD_MS = scaled(2_500, 1_000);
/** Those that are measured alone come all at once as well; in short pings of each kind. */
const TOGETHER = scaled<readonly (typeof KINDS)[number][]>(KINDS, KINDS.slice(0, 3));

/** With the limits as they are by default, and a history that is worth asking for. */
async function startTarget(): Promise<Server> {
  const server = await startServer(
    {},
    { anonymous: true, channels: [{ match: "h-*", history: { size: 1000, ttlS: 600 } }] },
  );
  server.websocket("/raw", { message: (socket, message) => void socket.send(message) });
  for (let n = 0; n < 1_000; n++) await server.toChannel("h-1").push({ event: "event", data: "x".repeat(100) });
  return server;
}

async function startFlood(url: string, kind: string, path: string): Promise<CliProcess> {
  const flooder = spawnCli([FLOODER, url, path, kind], { program: [process.execPath] });
  await flooder.prints(/^flooding$/m);
  return flooder;
}

/**
 * Measures the turns of this process's event loop in processor time, which a busy machine does not stretch. Ends with how
 * much of all that time somebody would have come too late for the bound.
 */
function measureTurns(): () => number {
  const turns: number[] = [];
  let before = process.cpuUsage();
  const look = () => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    turns.push((user + system) / 1000);
  };
  const timer = setInterval(look, 2);
  return () => {
    clearInterval(timer);
    look();
    const total = turns.reduce((sum, ms) => sum + ms, 0);
    return turns.reduce((sum, ms) => sum + Math.max(0, ms - BOUND_MS), 0) / total;
  };
}

test.each(KINDS)(
  "a flood of %s frames at %s holds nobody else up",
  async (name, path) => {
    const server = await startTarget();
    const witness = await connectPusher(server.url);
    const flooder = await startFlood(server.url, name, path);
    const share = measureTurns();
    const endMs = performance.now() + FLOOD_MS;
    while (performance.now() < endMs) await witness.ping();
    expect(share()).toBeLessThan(0.01);
    await flooder.kill();
  },
  120_000,
);

test("whoever floods is cut in the end, told why, and nobody else is", async () => {
  const server = await startTarget();
  const witness = await connectPusher(server.url);
  const flooders = await Promise.all(TOGETHER.map(([kind, path]) => startFlood(server.url, kind, path)));
  for (const flooder of flooders)
    expect((await flooder.prints(/^ended .*$/m, 120_000))[0]).toMatch(/ended (4100|1008)/);
  await witness.ping();
  expect(server.app().connections.count()).toBe(1);
}, 150_000);
