/** The numbers of `/metrics`: of one process, of several, and under soketi's names. */

import { describe, expect, test } from "bun:test";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { samplesOf, scrape } from "../support/metrics.ts";
import { startNats } from "../support/nats.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { connectTo, oneOnEach, startWorkers, workerPids } from "../support/workers.ts";

const ANYBODY = { metrics: { soketiNames: true } };

describe("several workers", () => {
  test("answer for all of them, whichever is asked, and for those that have ended", async () => {
    const workers = await startWorkers(ANYBODY);
    const [first, second] = await oneOnEach(workers.url, 2);
    if (!first || !second) throw new Error("There are not two workers.");
    for (const { client } of [first, second]) await client.ask("subscribe", { channel: "room" }).catch(() => {});
    await trigger(workers.url, APP, { name: "n", channel: "room", data: "x" });
    // The kernel spreads connections, and each request has one of its own.
    for (let asked = 0; asked < 6; asked++) {
      const samples = await scrape(workers.url);
      expect(samples.get("fanfare_connections{app=app}")).toBe(2);
      expect(samples.get("soketi_connected")).toBeUndefined();
      expect(samples.get(`soketi_connected{app_id=app,port=${new URL(workers.url).port}}`)).toBe(2);
      expect(samples.get("fanfare_workers")).toBe(2);
      expect(samples.get("fanfare_workers_answering")).toBe(2);
      expect([...samples.keys()].filter((name) => name.startsWith("fanfare_info{"))).toHaveLength(1);
      for (const worker of ["first", "0", "1"]) {
        expect(samples.get(`process_resident_memory_bytes{worker=${worker}}`)).toBeGreaterThan(1e6);
        expect(samples.get(`process_start_time_seconds{worker=${worker}}`)).toBeGreaterThan(1e9);
        expect(samples.get(`fanfare_engine_up{worker=${worker}}`)).toBe(1);
      }
    }
    const before = await scrape(workers.url);
    process.kill(second.pid, "SIGKILL");
    await eventually(() => expect(workerPids(workers.pid)).not.toContain(second.pid));
    await eventually(async () => expect((await scrape(workers.url)).get("fanfare_workers_answering")).toBe(2), {
      withinMs: 20_000,
    });
    const after = await scrape(workers.url);
    expect(after.get("fanfare_connections{app=app}")).toBe(1);
    const grows = [...before].filter(
      ([name]) => /_(total|count|sum|bucket)(\{|$)/.test(name) && !name.includes("worker="),
    );
    expect(grows.length).toBeGreaterThan(30);
    expect(grows.filter(([name, value]) => (after.get(name) ?? 0) < value)).toEqual([]);
  }, 60_000);

  test("that are asked to stop say what they counted to their end", async () => {
    const workers = await startWorkers();
    const [one, other] = await oneOnEach(workers.url, 2);
    if (!one || !other) throw new Error("There are not two workers.");
    const opened = "fanfare_connections_opened_total{app=app,protocol=native}";
    const before = (await scrape(workers.url)).get(opened) ?? 0;
    // Nobody asks between this and the end of that worker.
    const late = await connectTo(workers.url, other.pid);
    process.kill(other.pid, "SIGTERM");
    await late.socket.closed;
    await eventually(() => expect(workerPids(workers.pid)).not.toContain(other.pid), { withinMs: 20_000 });
    await eventually(async () => expect((await scrape(workers.url)).get("fanfare_workers_answering")).toBe(2), {
      withinMs: 20_000,
    });
    expect((await scrape(workers.url)).get(opened)).toBeGreaterThan(before);
  }, 60_000);

  test("that hang are told of, with what they said before, and nobody waits for them", async () => {
    const workers = await startWorkers({ nodeTimeoutS: 60 });
    const [one, other] = await oneOnEach(workers.url, 2);
    if (!one || !other) throw new Error("There are not two workers.");
    await scrape(workers.url);
    process.kill(other.pid, "SIGSTOP");
    try {
      // Requests that reach the stopped one are not answered: the next goes elsewhere.
      await eventually(
        async () => {
          const samples = await scrape(workers.url, 4_000);
          expect(samples.get("fanfare_workers_answering")).toBe(1);
          expect(samples.get("fanfare_connections{app=app}")).toBe(2);
        },
        { withinMs: 40_000 },
      );
    } finally {
      process.kill(other.pid, "SIGCONT");
    }
  }, 60_000);

  test("answer 503 while the first process hangs, and numbers when it goes on", async () => {
    const workers = await startWorkers();
    process.kill(workers.pid, "SIGSTOP");
    try {
      const answer = await fetch(`${workers.url}/metrics`);
      expect([answer.status, await answer.json()]).toEqual([
        503,
        { error: "The first process does not answer.", code: "unavailable" },
      ]);
    } finally {
      process.kill(workers.pid, "SIGCONT");
    }
    expect((await scrape(workers.url)).get("fanfare_workers_answering")).toBe(2);
  }, 60_000);
});

test("soketi's names have its labels, and count as it does", async () => {
  const server = await startServer(ANYBODY);
  const client = await connectPusher(server.url);
  const gone = await connectPusher(server.url);
  await client.subscribe("room");
  await gone.close();
  await trigger(server.url, APP, { name: "n", channel: "room", data: "x" });
  await client.next("n");
  await fetch(`${server.url}/apps/nobody/events`, { method: "POST", body: "{}" });
  const at = `{app_id=app,port=${server.port}}`;
  await eventually(async () => {
    const samples = await scrape(server.url);
    expect(samples.get(`soketi_connected${at}`)).toBe(1);
    expect(samples.get(`soketi_new_connections_total${at}`)).toBe(2);
    expect(samples.get(`soketi_new_disconnections_total${at}`)).toBe(1);
    expect(samples.get(`soketi_ws_messages_received_total${at}`)).toBe(1);
    expect(samples.get(`soketi_ws_messages_sent_total${at}`)).toBe(4);
    expect(samples.get(`soketi_http_calls_received_total${at}`)).toBe(1);
    expect(samples.get(`soketi_http_received_bytes${at}`)).toBeGreaterThan(20);
    expect(samples.get(`soketi_http_transmitted_bytes${at}`)).toBe(2);
    expect(samples.get("soketi_process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect([...samples.keys()].filter((name) => name.includes("nobody"))).toEqual([]);
  });
});

test("whatever can be counted is there at 0 from the start, so that the first event is an increase", async () => {
  const other = { ...APP, id: "other", key: "other-key" };
  const server = await startServer({ apps: [APP, other], ...ANYBODY });
  const before = await scrape(server.url);
  const client = await connectPusher(server.url);
  client.sendSubscribe("private-x", { auth: `${APP.key}:wrong` });
  await client.ping();
  await fetch(`${server.url}/apps/nobody/channels`);
  await fetch(`${server.url}/apps/app/channels`);
  await trigger(server.url, APP, { name: "n", channel: "c", data: "x" });
  await client.close();
  const isClosed = "fanfare_connections_closed_total{app=app,why=client}";
  const after = await eventually(async () => {
    const samples = await scrape(server.url);
    expect(samples.get(isClosed)).toBe(1);
    return samples;
  });
  const counted = [...after].filter(
    ([name, value]) => /^(fanfare|soketi_(new|ws|http))_\w*_total/.test(name) && value > 0,
  );
  expect(counted.length).toBeGreaterThan(8);
  // A scrape is itself nothing that is counted here.
  for (const [name] of counted) expect([name, before.get(name)]).toEqual([name, 0]);
  for (const name of [
    "gaps_total{app=other}",
    "slow_readers_total{app=other}",
    "webhooks_total{app=other,outcome=dead}",
  ]) {
    expect(before.get(`fanfare_${name}`)).toBe(0);
  }
  expect(before.get("fanfare_engine_losses_total")).toBe(0);
  expect(before.get("fanfare_frames_received_total{app=other}")).toBe(0);
});

test("an engine that goes away and comes back is told of, and counted", async () => {
  const redis = await startRedis();
  const server = await startServer({ engine: "redis", redis: { port: redis.port } });
  const patience = { withinMs: 20_000 };
  const numbers = async () => {
    const samples = await scrape(server.url);
    return ["up", "losses_total", "reconnects_total"].map((name) => samples.get(`fanfare_engine_${name}`) ?? 0);
  };
  // Whether the first attempt was the one that reached it is of no interest.
  const [losses, returns] = await eventually(async () => {
    const [up, lost = 0, back = 0] = await numbers();
    expect([up, lost]).toEqual([1, back]);
    return [lost, back] as const;
  }, patience);
  await redis.kill();
  await eventually(async () => expect(await numbers()).toEqual([0, losses + 1, returns]), patience);
  await redis.start();
  await eventually(async () => expect(await numbers()).toEqual([1, losses + 1, returns + 1]), patience);
}, 60_000);

test("what the HTTP API refuses is counted by its status", async () => {
  const server = await startServer();
  await trigger(server.url, APP, { name: "n", channel: "room", data: "x" });
  await fetch(`${server.url}/apps/app/events`, { method: "POST", body: "{}" });
  await fetch(`${server.url}/apps/other/channels`);
  const samples = await scrape(server.url);
  const statuses = ["200", "401", "404"].map((status) => samples.get(`fanfare_api_requests_total{status=${status}}`));
  expect(statuses).toEqual([1, 1, 1]);
});

test("who is cut because of not reading is counted, and who merely vanishes is not (A20)", async () => {
  const server = await startServer({ limits: { outboundBufferBytes: 2 * 1024 * 1024 } });
  const vanishing = await connectRawWebSocket(server.url, `/app/${APP.key}`);
  const stalled = await connectRawWebSocket(server.url, `/app/${APP.key}`);
  stalled.send(OPCODE.text, '{"event":"pusher:subscribe","data":{"channel":"busy"}}');
  await stalled.until(() => stalled.frames.length === 2, "the welcome and the subscription");
  stalled.stall();
  vanishing.cut();
  const data = "x".repeat(10_000);
  await eventually(() => expect(server.connections.count()).toBe(1));
  for (let sent = 0; sent < 5_000 && server.connections.count() === 1; sent++) {
    await server.toChannel("busy").push({ event: "n", data });
    // What fills the buffer between two looks would not be seen.
    await Bun.sleep(sent % 4 === 0 ? 4 : 0);
  }
  expect(server.connections.count()).toBe(0);
  const samples = await scrape(server.url);
  expect(samples.get("fanfare_slow_readers_total{app=app}")).toBe(1);
  expect(samples.get("fanfare_connections_closed_total{app=app,why=client}")).toBe(2);
});

test("a name with anything in it is a label and nothing else", () => {
  expect(samplesOf('a_total{app="x\\"} 7\\n",b="y"} 3\n# HELP b\nb 0.5\n').get('a_total{app=x"} 7\n,b=y}')).toBe(3);
});

describe("publish to deliver is measured (fanfare_delivery_seconds)", () => {
  const engines: Record<string, () => Promise<ConfigInput>> = {
    memory: async () => ({}),
    redis: async () => ({ engine: "redis", redis: { port: (await startRedis()).port } }),
    nats: async () => ({ engine: "nats", nats: { servers: [`127.0.0.1:${(await startNats()).port}`] } }),
  };
  for (const [engine, settings] of Object.entries(engines)) {
    test(`over ${engine}, by the node that publishes, for readers of its own`, async () => {
      const config = { ...ANYBODY, ...(await settings()) };
      const [one, other] = [await startServer(config), await startServer(config)];
      const [here, there] = [await connectPusher(one.url), await connectPusher(other.url)];
      for (const client of [here, there]) await client.subscribe("room");
      const before = performance.now();
      await trigger(one.url, APP, { name: "n", channel: "room", data: "x" });
      await here.next("n");
      const tookS = (performance.now() - before) / 1000;
      // Nobody here reads it, so nothing is known of its delivery.
      await trigger(one.url, APP, { name: "n", channel: "empty", data: "x" });
      await eventually(async () => {
        const samples = await scrape(one.url);
        expect(samples.get("fanfare_delivery_seconds_count")).toBe(1);
        expect(samples.get("fanfare_delivery_seconds_sum")).toBeLessThan(tookS);
        expect(samples.get("fanfare_delivery_seconds_sum")).toBeGreaterThan(0);
      });
      if (engine !== "memory") await there.next("n");
      expect((await scrape(other.url)).get("fanfare_delivery_seconds_count")).toBe(0);
    });
  }

  test("over an engine that hangs, with the time it hung", async () => {
    const redis = await startRedis();
    const server = await startServer({ ...ANYBODY, engine: "redis", redis: { port: redis.port } });
    const client = await connectPusher(server.url);
    await client.subscribe("room");
    redis.signal("SIGSTOP");
    const sent = trigger(server.url, APP, { name: "n", channel: "room", data: "x" });
    await Bun.sleep(600);
    redis.signal("SIGCONT");
    await sent;
    await client.next("n");
    await eventually(async () => {
      expect((await scrape(server.url)).get("fanfare_delivery_seconds_sum")).toBeGreaterThan(0.5);
    });
  });
});

test("with several workers, publish to deliver is that of all of them", async () => {
  const workers = await startWorkers(ANYBODY);
  const [first, second] = await oneOnEach(workers.url, 2);
  if (!first || !second) throw new Error("There are not two workers.");
  for (const { client } of [first, second]) await client.ask("subscribe", { channel: "room" });
  await trigger(workers.url, APP, { name: "n", channel: "room", data: "x" });
  await eventually(async () => {
    expect((await scrape(workers.url)).get("fanfare_delivery_seconds_count")).toBe(1);
  });
});
