/** A server of several processes, from a program's and a client's point of view: it is one server. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { signedFetch, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { connectTo, isAlive, oneOnEach, pusherElsewhere, startWorkers, workerPids } from "../support/workers.ts";

const RELOAD = join(temporaryFolder(), "settings.json");
const server = await startWorkers({ workers: 3 }, { env: { RELOAD } });
const { url } = server;

const first = async () => {
  const placed = await oneOnEach(url, 3);
  const [a, b, c] = placed;
  if (!a || !b || !c) throw new Error("Three workers were asked for.");
  return [a, b, c] as const;
};

describe("a server with several workers (A3, A12, O4)", () => {
  test("has as many processes, which share the port and take clients each", async () => {
    expect(workerPids(server.pid)).toHaveLength(3);
    const placed = await oneOnEach(url, 3);
    expect(placed.map(({ pid }) => pid).sort()).toEqual([...workerPids(server.pid)].sort());
  });

  test("gives each worker its number, so that one of them can do what is to be done once (A47)", async () => {
    for (const index of [0, 1, 2]) expect(server.output).toMatch(new RegExp(`^started ${index} of 3 in \\d+$`, "m"));
    const placed = await oneOnEach(url, 3);
    const answers = await Promise.all(placed.map(({ client }) => client.ask("which", {})));
    const places = answers.map(({ data }) => data as { worker: { index: number; count: number }; isPrimary: boolean });
    expect(places.map(({ worker }) => worker.index).sort()).toEqual([0, 1, 2]);
    for (const { worker, isPrimary } of places) expect([worker.count, isPrimary]).toEqual([3, false]);
  });

  test("delivers what a client, the API, a worker or the first process publishes on all of them, in one order", async () => {
    const placed = await first();
    const pushers = await Promise.all(placed.map(({ pid }) => pusherElsewhere(url, pid)));
    for (const { client } of placed) await client.subscribe("room");
    for (const pusher of pushers) await pusher.subscribe("room");
    const sending = Array.from({ length: 60 }, (_, n) => {
      const client = placed[n % 3]?.client;
      return n % 4 === 3
        ? trigger(url, APP, { name: "said", channel: "room", data: String(n) })
        : client?.ask("say", { ask: "say", channel: "room", text: String(n) });
    });
    await Promise.all(sending);
    server.signal("SIGUSR2");
    const heard = await Promise.all(
      placed.map(async ({ client }) => {
        const texts: unknown[] = [];
        while (texts.at(-1) !== "by the first process") texts.push(bare((await client.next("said")).data));
        return texts;
      }),
    );
    expect(heard[0]).toHaveLength(61);
    expect(heard[1]).toEqual(heard[0] ?? []);
    expect(heard[2]).toEqual(heard[0] ?? []);
    for (const pusher of pushers) {
      const texts: unknown[] = [];
      while (texts.length < 61) texts.push(bare((await pusher.next("said")).data));
      expect(texts).toEqual(heard[0] ?? []);
    }
  });

  test("leaves out the connections that are to be left out, wherever they are", async () => {
    const [a, b, c] = await first();
    for (const { client } of [a, b, c]) await client.subscribe("except");
    await trigger(url, APP, { name: "said", channel: "except", data: "1", socket_id: b.client.id });
    await trigger(url, APP, { name: "said", channel: "except", data: "2" });
    expect((await a.client.next("said")).data).toBe(1);
    expect((await c.client.next("said")).data).toBe(1);
    expect((await b.client.next("said")).data).toBe(2);
  });

  test("reports a user's join and leave once, however many workers its connections are with", async () => {
    const [a, b, c] = await first();
    const join = (placed: typeof a, id: string) =>
      placed.client.subscribe("presence-room", placed.client.permission("presence-room", { user_id: id }));
    await join(a, "watcher");
    await join(b, "u");
    await join(c, "u");
    const again = await connectTo(url, b.pid);
    await again.subscribe("presence-room", again.permission("presence-room", { user_id: "u" }));
    server.signal("SIGUSR2");
    const [, told = "{}"] = await server.prints(/^told (.*"watcher".*)$/m);
    const members = (JSON.parse(told) as { members: { id: string }[] }).members.map(({ id }) => id);
    expect(members.sort()).toEqual(["u", "watcher"]);
    await b.client.close();
    await again.close();
    await a.client.ping();
    await c.client.close();
    await a.client.next("member_removed");
    const events = (await a.client.unread()).map(({ event }) => event);
    expect(events.filter((event) => event === "member_removed")).toEqual([]);
    expect(events.filter((event) => event === "member_added")).toHaveLength(1);
  });

  test("answers questions of the HTTP API for all workers, whichever is asked", async () => {
    const placed = await first();
    for (const { client } of placed) await client.subscribe("counted");
    for (let round = 0; round < 12; round++) {
      const query = { info: "subscription_count" };
      const headers = { Connection: "close" };
      const response = await signedFetch(url, APP, "GET", "/channels/counted", { query, headers });
      expect(await response.json()).toMatchObject({ occupied: true, subscription_count: 3 });
    }
    for (const { client } of placed) await client.close();
    await eventually(async () => {
      const response = await signedFetch(url, APP, "GET", "/channels/counted");
      expect(await response.json()).toMatchObject({ occupied: false });
    });
  });

  test("ends a user's connections on every worker, and notifies watchers on every other", async () => {
    const [, b, c] = await first();
    const token = await makeToken({ sub: "gone" });
    const here = await connectTo(url, b.pid, { token });
    const there = await connectTo(url, c.pid, { token });
    await signedFetch(url, APP, "POST", "/users/gone/terminate_connections", { body: {} });
    expect((await here.socket.closed).code).toBe(4009);
    expect((await there.socket.closed).code).toBe(4009);
  });

  test("lists its workers with their connections, and is healthy on each", async () => {
    const placed = await first();
    await eventually(
      async () => {
        const before = server.stdout.length;
        server.signal("SIGUSR2");
        await eventually(() => expect(server.stdout.slice(before)).toMatch(/^told .*$/m));
        const [, told = "{}"] = /^told (.*)$/m.exec(server.stdout.slice(before)) ?? [];
        const { nodes, worker } = JSON.parse(told) as {
          nodes: { name: string; connections: number; silentMs: number; lagMs: number }[];
          worker: unknown;
        };
        expect(worker).toBeNull();
        expect(nodes).toHaveLength(3);
        for (const { connections, silentMs, lagMs } of nodes) {
          expect(connections).toBeGreaterThan(0);
          expect(silentMs).toBeLessThan(5_000);
          expect(lagMs).toBeGreaterThanOrEqual(0);
        }
        const pids = nodes.map(({ name }) => Number(name.split(":").at(-1))).sort();
        expect(pids).toEqual(placed.map(({ pid }) => pid).sort());
      },
      { withinMs: 15_000, everyMs: 300 },
    );
    for (let round = 0; round < 6; round++) {
      expect((await fetch(`${url}/health`, { headers: { Connection: "close" } })).status).toBe(200);
      expect((await fetch(`${url}/ready`, { headers: { Connection: "close" } })).status).toBe(200);
    }
  }, 30_000);

  test("marks log lines with the worker's number", () => {
    const lines = server.stderr.split("\n").filter((line) => line.includes('"listening"'));
    const workers = lines.map((line) => (JSON.parse(line) as { worker?: number }).worker ?? "first");
    expect(workers.sort()).toEqual([0, 1, 2, "first"]);
  });
});

describe("other settings", () => {
  test("count in every worker after one reload, and no client has to go that may stay", async () => {
    const other = { ...APP, id: "other", key: "other-key", secret: "other-secret", anonymous: true };
    const placed = await first();
    writeFileSync(
      RELOAD,
      JSON.stringify({ apps: [{ ...APP, anonymous: true, limits: { clientEventsPerSecond: 1_000 } }, other] }),
    );
    server.signal("SIGHUP");
    const [, answer = ""] = await server.prints(/^reloaded (.*)$/m);
    expect(JSON.parse(answer)).toMatchObject({ closed: 0, apps: { added: ["other"], removed: [], changed: [] } });
    for (const one of await oneOnEach(url, 3, { app: "other-key" })) await one.client.close();
    for (const { client } of placed) await client.ping();
  });

  test("are kept by workers that start later, and workers are swapped one by one", async () => {
    const before = workerPids(server.pid);
    const placed = await first();
    server.signal("SIGWINCH");
    for (const { client } of placed) expect((await client.socket.closed).code).toBe(4200);
    await server.prints(/^swapped$/m, 30_000);
    const after = workerPids(server.pid);
    expect(after).toHaveLength(3);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    for (const one of await oneOnEach(url, 3, { app: "other-key" })) await one.client.close();
    expect(server.output).not.toContain("another takes its place");
  }, 40_000);
});

describe("workers that are swapped", () => {
  test("twice at once leave no worker behind, and a stop in between ends those that are starting", async () => {
    const swapped = await startWorkers();
    const before = workerPids(swapped.pid);
    const first = "SIGWINCH";
    swapped.signal(first);
    await eventually(() => expect(workerPids(swapped.pid).length).toBeGreaterThan(2), { withinMs: 20_000 });
    swapped.signal(first);
    await swapped.prints(/^swapped\n(.*\n)*swapped$/m, 40_000);
    const after = workerPids(swapped.pid);
    expect(after).toHaveLength(2);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    swapped.signal(first);
    await eventually(() => expect(workerPids(swapped.pid).length).toBeGreaterThan(2), { withinMs: 20_000 });
    const all = workerPids(swapped.pid);
    swapped.signal("SIGTERM");
    expect((await swapped.exited).code).toBe(0);
    expect(swapped.output).toContain("not swapped: ");
    expect(all.filter(isAlive)).toEqual([]);
  }, 90_000);
});

/** What a program pushed is JSON to Pusher clients, and what the API published is what it published. */
function bare(data: unknown): string {
  return String(data).replaceAll('"', "");
}
