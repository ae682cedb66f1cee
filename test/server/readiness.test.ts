/** `/ready`: whether clients should be sent here; and what the process does when its memory is full. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Connection } from "../../packages/server/src/domain/connection.ts";
import { createServer } from "../../packages/server/src/index.ts";
import { unreadyReasons } from "../../packages/server/src/server/http/ready-route.ts";
import { disconnectGradually } from "../../packages/server/src/server/lifecycle/drain-controller.ts";
import { cgroupMemoryLimit, MemoryMonitor } from "../../packages/server/src/server/system/memory-monitor.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fakes.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, dialPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MEGABYTE = 1_048_576;

async function ready(url: string, path = "/ready"): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, body: await response.json() };
}

describe("/ready", () => {
  test("answers 200 while all is well, with a path in front as well, and to HEAD", async () => {
    const server = await startServer({ path: "/ws" });
    for (const path of ["/ready", "/ws/ready"]) {
      expect(await ready(server.url, path)).toEqual({ status: 200, body: { status: "ready" } });
    }
    const { status, headers } = await fetch(`${server.url}/ready`, { method: "HEAD" });
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect((await fetch(`${server.url}/ready`, { method: "POST" })).status).toBe(405);
  });

  test("is red before clients are disconnected, while new ones are still let in (scenario 38)", async () => {
    const server = createServer({
      host: "127.0.0.1",
      port: 0,
      drainDelayS: 0.5,
      drainTimeoutS: 1,
      log: { level: "silent" },
      apps: [APP],
    });
    atEnd(() => server.stop());
    await server.start();
    const { url } = server;
    const client = await connectPusher(url);
    const stopping = server.stop();
    await eventually(async () => expect((await ready(url)).status).toBe(503));
    expect((await ready(url)).body).toMatchObject({ status: "unready", reasons: [{ code: "draining" }] });
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const late = await connectPusher(url);
    await client.ping();
    expect((await client.socket.closed).code).toBe(4200);
    expect((await late.socket.closed).code).toBe(4200);
    await stopping;
    await expect(fetch(`${url}/ready`)).rejects.toThrow();
  });

  test("says every reason there is", () => {
    const memory = { isFull: true, usedBytes: 2, markBytes: 1.5 };
    const engine = { reachable: false, why: "Redis is away.", sinceMs: 0 } as const;
    const room = { isFull: true, load: { connections: 19, limit: 20 } };
    expect(unreadyReasons({ isDraining: true, engine, memory, room })).toEqual([
      { code: "draining", message: "The server is shutting down." },
      { code: "engine_unavailable", message: "Redis is away." },
      { code: "memory_full", message: "The process uses 2 bytes, more than its mark of 1." },
      { code: "connections_full", message: "The node has 19 of at most 20 connections, and another node has room." },
    ]);
    const well = { isDraining: false, engine: { reachable: true }, memory: { ...memory, isFull: false } } as const;
    expect(unreadyReasons(well)).toEqual([]);
  });
});

describe("a process whose memory is full (scenario 6)", () => {
  test("takes no new clients (4100) and is not ready, and those who are there stay", async () => {
    const server = await startServer();
    const client = await connectPusher(server.url);
    await server.reload({ ...server.config, limits: { ...server.config.limits, memoryBytes: MEGABYTE } });
    expect(await ready(server.url)).toMatchObject({ status: 503, body: { reasons: [{ code: "memory_full" }] } });
    expect((await (await dialPusher(server.url)).closed).code).toBe(4100);
    await client.ping();
    await server.reload({ ...server.config, limits: { ...server.config.limits, memoryBytes: 1e12 } });
    expect((await ready(server.url)).status).toBe(200);
    await connectPusher(server.url);
  });

  test("collects at once but not all the time, and takes others again only well below the mark", () => {
    const clock = new FakeClock();
    let used = 90;
    let collections = 0;
    const options = { clock, markBytes: 100, processes: 1, usedBytes: () => used, collect: () => collections++ };
    const memory = new MemoryMonitor(options);
    const at = (bytes: number) => {
      used = bytes;
      clock.pass(100);
      return memory.isFull;
    };
    expect([at(90), at(101), at(99), at(98), at(96), at(99)]).toEqual([false, true, true, true, false, false]);
    expect(collections).toBe(1);
    clock.pass(10_000);
    expect([at(101), collections]).toEqual([true, 2]);
  });

  test("looks at most ten times a second, however many come", () => {
    const clock = new FakeClock();
    let looks = 0;
    const memory = new MemoryMonitor({
      clock,
      markBytes: 1,
      processes: 1,
      usedBytes: () => looks++,
      collect: () => {},
    });
    for (let n = 0; n < 1000; n++) memory.isFull;
    expect(looks).toBe(1);
  });
});

describe("the kernel's limit", () => {
  const rooted = (files: Record<string, string>) => {
    const root = temporaryFolder();
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return root;
  };

  test("is the least on the way up, in version 2", () => {
    const root = rooted({
      "proc/self/cgroup": "0::/kubepods/pod/box\n",
      "sys/fs/cgroup/kubepods/pod/box/memory.max": "max\n",
      "sys/fs/cgroup/kubepods/pod/memory.max": "268435456\n",
      "sys/fs/cgroup/kubepods/memory.max": "8589934592\n",
    });
    expect(cgroupMemoryLimit(root)).toBe(268_435_456);
  });

  test("is found in version 1, where no limit is a number too", () => {
    const files = { "proc/self/cgroup": "11:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n" };
    const b = "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes";
    const root = "sys/fs/cgroup/memory/memory.limit_in_bytes";
    expect(cgroupMemoryLimit(rooted({ ...files, [b]: "104857600\n", [root]: "9223372036854771712\n" }))).toBe(
      104_857_600,
    );
    expect(cgroupMemoryLimit(rooted({ ...files, [b]: "9223372036854771712\n" }))).toBeUndefined();
  });

  test("is found in a container, where the path is the host's", () => {
    const root = rooted({ "proc/self/cgroup": "0::/system.slice/x\n", "sys/fs/cgroup/memory.max": "1000000\n" });
    expect(cgroupMemoryLimit(root)).toBe(1_000_000);
  });

  test("is none where nothing says so", () => {
    expect(cgroupMemoryLimit(temporaryFolder())).toBeUndefined();
  });
});

describe("the farewells of a drain (scenario 38)", () => {
  const drained = async (count: number, spreadMs: number, late = 0) => {
    const clock = new FakeClock();
    const startMs = clock.monotonic;
    const told: number[] = [];
    const connections = Array.from({ length: count }, () => ({}) as Connection);
    await disconnectGradually({
      connections,
      disconnect: () => told.push(clock.monotonic - startMs),
      spreadMs,
      clock,
      pause: async (ms) => clock.pass(ms + late),
      random: () => 0.5,
    });
    return told;
  };

  test("are spread evenly over the time they have", async () => {
    const told = await drained(2_000, 2_500);
    expect(told).toHaveLength(2_000);
    expect(told.at(-1)).toBeWithin(2_000, 2_501);
    for (let fromMs = 0; fromMs < 2_500; fromMs += 500) {
      expect(told.filter((ms) => ms >= fromMs && ms < fromMs + 500).length).toBeLessThanOrEqual(450);
    }
  });

  test("give each native client another time to come back, within a second", async () => {
    const server = await startServer({ drainTimeoutS: 1 }, { anonymous: true });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectNative(server.url)));
    const farewells = Promise.all(clients.map((client) => client.next("closing")));
    await server.stop();
    const times = (await farewells).map(({ afterMs }) => Number(afterMs));
    for (const ms of times) expect(ms).toBeWithin(0, 1_001);
    expect(new Set(times).size).toBeGreaterThan(10);
  });

  test("of a few are said at once, whatever the time", async () => {
    expect(new Set(await drained(10, 60_000))).toEqual(new Set([0]));
  });

  test("come to an end in time where timers are late, and where there is no time at all", async () => {
    expect((await drained(5_000, 1_000, 200)).at(-1)).toBeLessThan(1_300);
    expect((await drained(5_000, 0)).at(-1)).toBe(0);
  });
});
