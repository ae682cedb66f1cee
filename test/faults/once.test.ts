/** Publications with a key, whose engine hangs over them or whose answers are lost: whoever is asked again, each is heard once (scenario 25). */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { EngineNode } from "../../packages/server/testing/engine-node.ts";
import { configOf, ENGINES, type EngineName, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startNats } from "../support/nats.ts";
import { natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { signedFetch, trigger } from "../support/pusher-client.ts";
import { settingsFor, startRedis } from "../support/redis.ts";
import { startNode as startRedisNode } from "../support/redis-node.ts";
import { APP } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { startWorkers } from "../support/workers.ts";
import { startListeners } from "./listener.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const CHANNELS = ["kept-room", "room"] as const;
const CONFIG = { publishWaitS: 1 };

/** Stopped, or gone with all that it had; and back. */
type How = "hangs" | "dies";

const CASES = [...ENGINES.map((engine) => [engine, "hangs"] as const), ["redis", "dies"], ["nats", "dies"]] as const;

/** Two nodes, by their addresses, and what befalls their engine; of workers the kernel chooses which one is asked. */
async function startPair(engine: EngineName, how: How) {
  if (engine === "workers") {
    const first = await startWorkers(configOf({ config: { ...CONFIG, workers: 2 } }));
    return {
      urls: [first.url, first.url],
      goes: () => first.signal("SIGSTOP"),
      comes: async () => first.signal("SIGCONT"),
    };
  }
  const server = await (engine === "redis" ? startRedis() : startNats());
  const where =
    engine === "redis"
      ? ({ engine, redis: { port: server.port } } as const)
      : ({ engine, nats: { servers: [`127.0.0.1:${server.port}`] } } as const);
  const nodes = await Promise.all([0, 1].map(() => startNode(where, { config: CONFIG })));
  return {
    urls: nodes.map(({ url }) => url),
    goes: () => void (how === "dies" ? server.kill() : server.signal("SIGSTOP")),
    comes: async () => (how === "dies" ? await server.start() : server.signal("SIGCONT")),
  };
}

/** Asks for what is said to be published, under itself as the key; says whether it was taken. */
type Ask = (said: string, attempt: number) => Promise<boolean>;

/** Another node each time. */
function byApi(urls: readonly string[], channel: string): Ask {
  return async (said, attempt) => {
    const body = { name: "e", channel, data: said, idempotency_key: said };
    const answer = await signedFetch(urls[attempt % urls.length] ?? "", APP, "POST", "/events", { body });
    await answer.arrayBuffer();
    expect([200, 503]).toContain(answer.status);
    return answer.status === 200;
  };
}

async function bySocket(urls: readonly string[], channel: string): Promise<Ask> {
  const clients = await Promise.all(urls.map((url) => connectNative(url)));
  for (const client of clients) await client.subscribe(channel);
  return async (said, attempt) => {
    const client = clients[attempt % clients.length];
    if (!client) return false;
    const id = `${said}/${attempt}`;
    client.socket.send({ event: "publish", id, data: { channel, data: said, idempotencyKey: said } });
    // Others of this connection may have their turns before.
    const answer = await client.next((frame) => frame.id === id, PATIENCE.withinMs);
    expect(["published", "engine_unavailable"]).toContain(
      String(answer.event === "error" ? answer.code : answer.event),
    );
    return answer.event === "published";
  };
}

test.each(CASES)(
  "%s %s over two hundred: all are taken as soon as it is back, and nobody hears one twice",
  async (engine, how) => {
    const { urls, goes, comes } = await startPair(engine, how);
    const turned = urls.toReversed();
    const at = (n: number) => urls[n % 2] ?? "";
    const asks: Ask[] = [];
    for (const channel of CHANNELS) {
      for (const each of [urls, turned]) {
        asks.push(byApi(each, channel));
        // One turn at a time for each connection.
        for (let n = 0; n < 5; n++) asks.push(await bySocket(each, channel));
        for (let n = 0; n < 4; n++) asks.push(byApi(each, channel));
      }
    }
    const listeners = await Promise.all(
      CHANNELS.flatMap((channel) => [
        startListeners(2, "native", channel, at),
        startListeners(2, "pusher", channel, at),
      ]),
    );
    const said = CHANNELS.map((): string[] => []);
    const hanging = Promise.withResolvers<void>();
    let answered = 0;
    let refused = 0;
    const untilTaken = async (n: number) => {
      const ask = asks[n % asks.length];
      const key = `k-${n}`;
      said[n % asks.length < asks.length / 2 ? 0 : 1]?.push(key);
      await Bun.sleep((n * 60) / 200);
      // Some come when it hangs already, however quick it was.
      if (n >= 150) await hanging.promise.then(() => Bun.sleep(20));
      for (let attempt = 0; !(await ask?.(key, attempt)); attempt++) {
        refused++;
        await Bun.sleep(30);
      }
      if (++answered === 40) {
        goes();
        hanging.resolve();
      }
      // Who does not trust an answer asks elsewhere.
      if (n % 4 === 0) while (!(await ask?.(key, 1))) await Bun.sleep(30);
    };
    const all = Promise.all(Array.from({ length: 200 }, (_, n) => untilTaken(n)));
    await hanging.promise;
    // Until every node has noticed: one that publishes while another is about to notice is not heard there.
    await Bun.sleep(2_500);
    await comes();
    const beganMs = performance.now();
    await all;
    expect(performance.now() - beganMs).toBeLessThan(8_000);
    expect(refused).toBeGreaterThan(0);
    for (const channel of CHANNELS) await trigger(urls[0] ?? "", APP, { name: "e", channel, data: "last-0" });
    for (const { channel, heard } of listeners.flat()) {
      await eventually(() => expect(heard).toContain("last-0"), PATIENCE);
      expect(heard.filter((one, n) => heard.indexOf(one) !== n)).toEqual([]);
      // What one that dies has told is told to all its nodes but for an instant.
      if (how === "dies") continue;
      const mine = [...(said[channel === "room" ? 1 : 0] ?? []), "last-0"].toSorted();
      await eventually(() => expect(heard.toSorted()).toEqual(mine), PATIENCE);
    }
  },
);

describe.each(["redis", "nats"] as const)(
  "%s publishes what nobody was connected to hear, and its answers are lost:",
  (engine) => {
    test.each([
      ["kept", { size: 100, ttlMs: 60_000 }],
      ["only carried", undefined],
    ] as const)("what is %s is heard once, and not published again", async (_, keep) => {
      const server = await (engine === "redis" ? startRedis() : startNats());
      const wire = await startProxy(server.port);
      const start: (port: number) => Promise<EngineNode> =
        engine === "redis"
          ? (port) => startRedisNode({ ...settings, topology: settingsFor(port).topology })
          : (port) => startNatsNode({ ...natsSettings, servers: [`127.0.0.1:${port}`] });
      const settings = settingsFor(wire.port, { publishWaitMs: 500 });
      const natsSettings = natsSettingsFor([], { publishWaitMs: 500 });
      const [a, b, witness] = [await start(wire.port), await start(wire.port), await start(server.port)];
      for (const node of [a, b, witness]) await node.subscribe("room");
      await a.publishOnce("room", "first", keep);
      // What the server answers or tells is on its way for so long that it can be lost.
      wire.slow(300);
      const said = Array.from({ length: 10 }, (_, n) => `k-${n}`);
      const asked = Promise.allSettled(said.map((data) => a.publishOnce("room", data, keep)));
      await eventually(() => expect(witness.heard("room")).toHaveLength(11), { ...PATIENCE, everyMs: 5 });
      wire.swallow("answers");
      await asked;
      wire.slow(0);
      wire.mend();
      const again = said.map((data) => eventually(() => b.publishOnce("room", data, keep), PATIENCE));
      expect(await Promise.all(again)).toEqual(said.map(() => "repeated"));
      await eventually(() => a.publish("room", "last", keep), PATIENCE);
      for (const node of [a, b, witness]) {
        await eventually(() => expect(node.heard("room")).toContain("last"), PATIENCE);
        if (!keep || node === witness) expect(node.heard("room")).toEqual(["first", ...said, "last"]);
      }
      if (!keep) return;
      // Who did not hear it finds it there.
      const { events: kept } = await b.engine.broker.history("app", "room", { limit: 100, direction: "newest" });
      expect(kept.map(({ publication }) => publication.data)).toEqual(["first", ...said, "last"]);
    });
  },
);
