/** How soon access ends on every node, by the clock: the numbers of docs/operating.md, each measured. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { ENGINES, startCluster } from "../support/cluster.ts";
import { connectNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(120_000);

/** A machine that does other work besides is late itself, and its tests with it. */
const LATE_MS = 1_000;
const EACH = 10;

/** How long it took until all of them were sent the event. */
async function untilSent(clients: readonly NativeTestClient[], event: string, sinceMs = performance.now()) {
  await Promise.all(clients.map((client) => client.next(event, 30_000)));
  return performance.now() - sinceMs;
}

describe.each(ENGINES)("on %s", async (engine) => {
  const [a, b] = await startCluster(engine);
  if (!a || !b) throw new Error("There are not two nodes.");
  const crowd = async (claims: object) => {
    const tokens = await makeToken({ channels: ["private-*", "presence-*"], ...claims });
    const clients = await Promise.all(
      Array.from({ length: 2 * EACH }, (_, n) => (n % 2 === 0 ? a : b).native({ token: tokens })),
    );
    await Promise.all(clients.map((client) => client.ping()));
    return clients;
  };
  const post = (path: string, body: object = {}) => signedFetch(b.url, APP, "POST", path, { body });

  test("a kick, a ban and a channel that a newer token does not name are over within a second", async () => {
    const clients = await crowd({ sub: "ada" });
    const enter = (channel: string) => Promise.all(clients.map((client) => client.subscribe(channel)));
    for (const body of [{ user_id: "ada" }, { user_id: "ada", ban_s: 60 }, { all: true }]) {
      await enter("presence-room");
      const sinceMs = performance.now();
      const answered = post("/channels/presence-room/kick", body);
      const tookMs = await untilSent(clients, "unsubscribed", sinceMs);
      expect((await answered).status).toBe(200);
      expect(tookMs).toBeLessThan(1_000 + LATE_MS);
      await post("/channels/presence-room/unban", { user_id: "ada" });
    }
    await enter("private-a");
    const fewer = await makeToken({ sub: "ada", channels: ["private-b"] });
    const sinceMs = performance.now();
    for (const client of clients) client.send("authenticate", { token: fewer });
    expect(await untilSent(clients, "unsubscribed", sinceMs)).toBeLessThan(1_000 + LATE_MS);
    const endedMs = performance.now();
    await post("/users/ada/terminate_connections");
    expect(await untilSent(clients, "closing", endedMs)).toBeLessThan(1_000 + LATE_MS);
  });
});

describe("two nodes on Redis", () => {
  test("end a token within five seconds after its time, and not before", async () => {
    const { port } = await startRedis();
    const node = () => startServer({ engine: "redis", redis: { port } }, { token: { clockToleranceS: 0 } });
    const urls = [(await node()).url, (await node()).url];
    const endsS = Math.ceil(Date.now() / 1_000) + 3;
    const token = await makeToken({ sub: "bob", exp: endsS });
    const clients = await Promise.all(
      Array.from({ length: EACH }, () => urls)
        .flat()
        .map((url) => connectNative(url, { token })),
    );
    await untilSent(clients.slice(0, 1), "closing");
    expect(Date.now()).toBeGreaterThan(endsS * 1_000 - 50);
    await untilSent(clients, "expiring");
    await Promise.all(clients.map(({ socket }) => socket.closed));
    expect(Date.now() - endsS * 1_000).toBeLessThan(5_000 + LATE_MS);
  });

  const apps = (secrets: readonly [string, ...string[]]): ConfigInput["apps"] => [
    { id: APP.id, key: APP.key, secrets: [...secrets], anonymous: true },
  ];

  test("end what stands on a replaced secret alone at once, when the settings are applied, on each", async () => {
    const { port } = await startRedis();
    const where: ConfigInput = { engine: "redis", redis: { port } };
    const servers = [
      await startServer({ ...where, apps: apps([APP.secret]) }),
      await startServer({ ...where, apps: apps([APP.secret]) }),
    ];
    const token = await makeToken({ sub: "ada", channels: ["private-*"] });
    const clients = await Promise.all(
      servers.flatMap(({ url }) => [connectNative(url, { token }), connectNative(url)]),
    );
    const [old, fresh] = [
      [0, 2],
      [1, 3],
    ].map((at) => at.map((n) => clients[n] as NativeTestClient)) as [NativeTestClient[], NativeTestClient[]];
    for (const client of old) await client.subscribe("private-room");
    await Promise.all(servers.map((server) => server.reload({ ...where, apps: apps(["another", APP.secret]) })));
    for (const client of old) await client.ping();
    const sinceMs = performance.now();
    const reloads = servers.map((server) => server.reload({ ...where, apps: apps(["another"]) }));
    expect(await untilSent(old, "closing", sinceMs)).toBeLessThan(1_000 + LATE_MS);
    await Promise.all(reloads);
    for (const client of old) {
      expect((await client.socket.closed).code).toBe(4100);
      const closing = client.socket.frames.at(-1)?.data as { afterMs?: number } | undefined;
      expect(closing?.afterMs ?? 0).toBeWithin(0, 4_001);
    }
    for (const client of fresh) await client.ping();
  });

  test("and one that is cut off lets go whom it cannot vouch for when accessDoubtS is over, and not before", async () => {
    const { port } = await startRedis();
    const proxy = await startProxy(port);
    const node = (at: number, more: ConfigInput = {}) =>
      startServer({ engine: "redis", redis: { port: at }, accessDoubtS: 2, ...more }, { anonymous: true });
    const [cutOff, other] = [await node(proxy.port), await node(port)];
    const token = await makeToken({ sub: "ada" });
    const [known, elsewhere, guest] = [
      await connectNative(cutOff.url, { token }),
      await connectNative(other.url, { token }),
      await connectNative(cutOff.url),
    ];
    await Promise.all([known.ping(), elsewhere.ping()]);
    const sinceMs = performance.now();
    proxy.cut();
    const answered = signedFetch(other.url, APP, "POST", "/users/ada/terminate_connections", { body: {} });
    expect(await untilSent([elsewhere], "closing", sinceMs)).toBeLessThan(1_000 + LATE_MS);
    expect(await known.next("closing", 30_000)).toMatchObject({ code: "engine_unavailable" });
    // The engine counts as away when a connection to it is gone; the look at all connections comes once a second.
    expect(performance.now() - sinceMs).toBeWithin(2_000, 4_000 + LATE_MS);
    await guest.ping();
    // It waits for the answer of the node that is cut off, which may come back.
    expect(await (await answered).json()).toMatchObject({ nodes_missing: 1 });
  });
});
