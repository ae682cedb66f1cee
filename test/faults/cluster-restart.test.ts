/** Nodes behind HAProxy and workers that are swapped under load: who is cut comes back soon and has missed nothing. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import Pusher from "pusher-js";
import { makeCertificate, startProxy as startLoadBalancer } from "../deploy/proxy.ts";
import { atEnd } from "../support/at-end.ts";
import { configOf, startNode, usersOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/process.ts";
import { channelAuth } from "../support/pusher-client.ts";
import { freePort, startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { startWorkers, workerPids } from "../support/workers.ts";
import { startReceiver } from "./hooks.ts";
import { expectInOrder, missing, Source, startListeners } from "./listener.ts";

setDefaultTimeout(120_000);

const PRESENCE = "presence-room";
const PATIENCE = { withinMs: 20_000, everyMs: 50 };

/** HAProxy as in deploy/, before two nodes. */
async function balance(ports: readonly [number, number]): Promise<string> {
  const server = (name: string, port: number) => `server ${name} 127.0.0.1:${port} check inter 500ms rise 1 fall 1`;
  const { url } = await startLoadBalancer("HAProxy", {
    upstreamPort: ports[0],
    certificate: await makeCertificate(),
    changes: {
      "maxconn 200": "maxconn 4000",
      [`server fanfare1 127.0.0.1:${ports[0]} check inter 2s`]: `balance leastconn\n    option redispatch\n    retries 3\n    ${server("one", ports[0])}\n    ${server("two", ports[1])}`,
    },
  });
  return url;
}

function realClients(url: string, count: number, channel: string) {
  return Array.from({ length: count }, (_, n) => {
    const heard: string[] = [];
    const pusher = new Pusher(APP.key, {
      cluster: "",
      wsHost: "127.0.0.1",
      wsPort: Number(new URL(url).port),
      forceTLS: false,
      enabledTransports: ["ws"],
      enableStats: false,
      channelAuthorization: {
        endpoint: "",
        transport: "ajax",
        customHandler: ({ socketId, channelName }, done) => {
          const channel_data = JSON.stringify({ user_id: `user-${n}` });
          done(null, { auth: channelAuth(APP, socketId, channelName, channel_data), channel_data });
        },
      },
    });
    atEnd(() => pusher.disconnect());
    pusher.subscribe(PRESENCE);
    pusher.subscribe(channel).bind("e", (data: string) => heard.push(data));
    return { pusher, heard };
  });
}

// 110 clients instead of 5000 and 100 publications a second instead of 1000: HAProxy, both nodes, Redis and all clients share two processors.
test("two nodes are swapped one after the other under load: everybody is back within 5 s, and nothing that can be recovered is lost (scenario 39)", async () => {
  const { told, options } = startReceiver();
  const redis = await startRedis();
  const where = {
    engine: "redis",
    redis: { port: redis.port },
    nodeTimeoutS: 3,
    drainDelayS: 1,
    drainTimeoutS: 4,
    drainSpreadS: 1.5,
  } as const;
  // The nodes share the database of their webhooks, as nodes on several machines have to.
  const database = { url: `sqlite:${join(temporaryFolder(), "shared.db")}` };
  const webhooks = { allowPrivate: true, leaveDelayS: 3 };
  const start = (port: number) => startNode({}, { ...options, config: { ...where, database, webhooks } }, port);
  const ports = [await freePort(), await freePort()] as const;
  const nodes = [await start(ports[0]), await start(ports[1])];
  const url = await balance(ports);
  const listeners = [
    ...(await startListeners(60, "native", "kept-room", () => url)),
    ...(await startListeners(40, "pusher", "kept-room", () => url)),
  ];
  const real = realClients(url, 10, "kept-room");
  await eventually(
    () => expect(real.every(({ pusher }) => pusher.allChannels().every(({ subscribed }) => subscribed))).toBe(true),
    PATIENCE,
  );
  const sources = [new Source("a", () => url, "kept-room", 20), new Source("b", () => url, "kept-room", 20)];
  for (const [n, port] of ports.entries()) {
    const node = nodes[n];
    expect((await node?.process.stop("SIGTERM", 20_000))?.code).toBe(0);
    nodes[n] = await start(port);
    await Bun.sleep(2_000);
  }
  await Promise.all(sources.map((source) => source.stop()));
  const users = real.map((_, n) => `user-${n}`);
  await eventually(async () => expect(await usersOf(url, PRESENCE)).toEqual(users), PATIENCE);
  const accepted = sources.flatMap((source) => source.accepted);
  expect(sources.flatMap(({ refused, unanswered }) => [...refused, ...unanswered])).toEqual([]);
  const codes = new Set(listeners.flatMap(({ closes }) => closes));
  expect(codes).toEqual(new Set([4200]));
  expect(Math.max(...listeners.flatMap(({ awayMs }) => awayMs))).toBeLessThan(5_000);
  for (const { language, heard, recovered, closes, gaps } of listeners) {
    expectInOrder(heard);
    expect([closes.length > 0, gaps]).toEqual([true, 0]);
    if (language === "pusher") continue;
    await eventually(() => expect(missing(accepted, heard)).toEqual([]), PATIENCE);
    expect(recovered).toEqual(closes.map(() => true));
    expect(heard).toEqual(listeners[0]?.heard ?? []);
  }
  for (const { pusher, heard } of real) {
    expect(pusher.connection.state).toBe("connected");
    expectInOrder(heard);
  }
  // Whoever was back within three seconds had not left, as far as receivers are told.
  await Bun.sleep(3_500);
  expect(told("member_added", "member_removed", "channel_occupied", "channel_vacated")).toEqual([
    "channel_occupied kept-room",
    `channel_occupied ${PRESENCE}`,
    ...users.map((id) => `member_added ${PRESENCE} ${id}`),
  ]);
});

test("the workers of one server are swapped under load: everybody is back within 5 s, and nothing that can be recovered is lost (scenario 39)", async () => {
  const server = await startWorkers({ ...configOf(), drainTimeoutS: 4, drainSpreadS: 1 });
  const pids = workerPids(server.pid);
  const listeners = [
    ...(await startListeners(40, "native", "kept-room", () => server.url)),
    ...(await startListeners(20, "pusher", "kept-room", () => server.url)),
  ];
  const sources = [
    new Source("a", () => server.url, "kept-room", 20),
    new Source("b", () => server.url, "kept-room", 20),
  ];
  await Bun.sleep(1_000);
  server.signal("SIGWINCH");
  await server.prints(/^swapped$/m, 30_000);
  await eventually(() => expect(listeners.every(({ awayMs }) => awayMs.length > 0)).toBe(true), PATIENCE);
  await Bun.sleep(1_000);
  await Promise.all(sources.map((source) => source.stop()));
  expect(workerPids(server.pid).filter((pid) => pids.includes(pid))).toEqual([]);
  const accepted = sources.flatMap((source) => source.accepted);
  expect(accepted.length).toBeGreaterThan(50);
  expect(new Set(listeners.flatMap(({ closes }) => closes))).toEqual(new Set([4200]));
  expect(Math.max(...listeners.flatMap(({ awayMs }) => awayMs))).toBeLessThan(5_000);
  for (const { language, heard, recovered, closes } of listeners) {
    expectInOrder(heard);
    if (language === "pusher") continue;
    await eventually(() => expect(missing(accepted, heard)).toEqual([]), PATIENCE);
    expect(recovered).toEqual(closes.map(() => true));
    expect(heard).toEqual(listeners[0]?.heard ?? []);
  }
});
