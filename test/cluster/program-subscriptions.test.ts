/** A program that subscribes to channels itself: what it receives, over the whole cluster, and what it is told where something is lost. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ConfigInput, Server, SubscribeOptions } from "../../packages/server/src/index.ts";
import { CLUSTER_APP, engineSettings } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startNats } from "../support/nats.ts";
import { trigger } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { oneOnEach, startWorkers } from "../support/workers.ts";

setDefaultTimeout(60_000);

const PATIENCE = { withinMs: 30_000, everyMs: 20 };
const NUMBERS = Array.from({ length: 200 }, (_, n) => n);
const APPS = [CLUSTER_APP];

/** Two nodes in this process; the one node twice where the engine has only one. */
async function startTwo(engine: "memory" | "redis" | "nats"): Promise<readonly [Server, Server]> {
  if (engine === "memory") {
    const server = await startServer({ apps: APPS });
    return [server, server];
  }
  const where = await engineSettings(engine);
  return [await startServer({ ...where, apps: APPS }), await startServer({ ...where, apps: APPS })];
}

describe.each(["memory", "redis", "nats"] as const)("on %s, server.subscribe", (engine) => {
  test.each(["room", "kept-room"])(
    "receives each event of %s once and in the order of its subscribers, whoever publishes it where (S25)",
    async (channel) => {
      const [near, far] = await startTwo(engine);
      const client = await connectNative(far.url);
      const heard: unknown[] = [];
      const subscription = await near.subscribe(channel, ({ event, data, from, channel: of }) => {
        heard.push(data);
        expect([event, of, from?.connection]).toEqual([
          "said",
          channel,
          Number(data) % 4 === 3 ? client.id : undefined,
        ]);
      });
      expect(await near.channel(channel).info()).toBeUndefined();
      const reader = await connectNative(near.url);
      await reader.subscribe(channel);
      await client.subscribe(channel);
      const publish = (n: number) => {
        const event = { event: "said", data: n };
        if (n % 4 === 0) return near.channel(channel).push(event);
        if (n % 4 === 1) return far.toChannel(channel).push(event);
        if (n % 4 === 2) return trigger(far.url, APP, { name: "said", channel, data: String(n) });
        return client.ask("publish", { channel, event: "said", data: n });
      };
      await Promise.all(NUMBERS.map(publish));
      await eventually(() => expect(heard).toHaveLength(NUMBERS.length), PATIENCE);
      const seen: unknown[] = [];
      while (seen.length < NUMBERS.length) seen.push((await reader.next("said")).data);
      expect(heard).toEqual(seen.map(Number));
      expect([...heard].sort((a, b) => Number(a) - Number(b))).toEqual(NUMBERS);
      expect((await far.channel(channel).info())?.subscribers).toBe(2);
      subscription.unsubscribe();
      subscription.unsubscribe();
      await near.channel(channel).push({ event: "said", data: 0 });
      await reader.next("said");
      await Bun.sleep(20);
      expect(heard).toHaveLength(NUMBERS.length);
      await reader.close();
      await client.close();
      await eventually(async () => expect(await near.channel(channel).info()).toBeUndefined(), PATIENCE);
    },
  );

  test("goes on from a position, and is told where something of it is lost", async () => {
    const [near, far] = await startTwo(engine);
    const channel = near.channel("kept-log");
    for (const data of [1, 2, 3]) await far.channel("kept-log").push({ event: "said", data });
    const { events, position } = await channel.history();
    const heard: unknown[] = [];
    const listen = ({ data }: { data: unknown }) => heard.push(data);
    const onGap = () => heard.push("gap");
    const again = await channel.subscribe(listen, { since: events[0]?.position as typeof position, onGap });
    expect(again.position).toEqual(position);
    await far.channel("kept-log").push({ event: "said", data: 4 });
    await eventually(() => expect(heard).toEqual([2, 3, 4]), PATIENCE);
    again.unsubscribe();
    await channel.purgeHistory();
    heard.length = 0;
    await channel.subscribe(listen, { since: position, onGap });
    await far.channel("kept-log").push({ event: "said", data: 5 });
    await eventually(() => expect(heard).toEqual(["gap", 5]), PATIENCE);
    heard.length = 0;
    await near.subscribe("plain", listen, { since: position, onGap });
    await far.channel("plain").push({ event: "said", data: 6 });
    await eventually(() => expect(heard).toEqual(["gap", 6]), PATIENCE);
  });
});

describe.each(["memory", "redis", "nats"] as const)("on %s, server.subscribe that starts late", (engine) => {
  test("gets the last events by count or by time, and after the gap where its position is lost", async () => {
    const [near, far] = await startTwo(engine);
    const channel = near.channel("kept-late");
    for (const data of [1, 2, 3]) await far.channel("kept-late").push({ event: "said", data });
    const late = async (options: SubscribeOptions) => {
      const heard: unknown[] = [];
      const onGap = () => heard.push("gap");
      const { rewound, complete } = await channel.subscribe(({ data }) => heard.push(data), { ...options, onGap });
      return { heard, rewound, complete };
    };
    const lost = { epoch: "gone", offset: 1 };
    const each = [
      [await late({ rewind: { count: 2 } }), [2, 3], 2, true],
      [await late({ rewind: { count: 9 } }), [1, 2, 3], 3, true],
      [await late({ rewind: { seconds: 600 } }), [1, 2, 3], 3, true],
      [await late({ since: lost, rewind: { count: 1 } }), ["gap", 3], 1, true],
      [await late({ since: lost }), ["gap"], undefined, undefined],
    ] as const;
    await far.channel("kept-late").push({ event: "said", data: 4 });
    for (const [{ heard, ...said }, past, rewound, complete] of each) {
      expect(said).toEqual({ rewound, complete });
      await eventually(() => expect(heard).toEqual([...past, 4]), PATIENCE);
    }
    await expect(late({ rewind: { count: 0 } })).rejects.toThrow(RangeError);
    const plain: unknown[] = [];
    await near.subscribe("plain", ({ data }) => plain.push(data), { rewind: { count: 5 } });
    await far.channel("plain").push({ event: "said", data: 5 });
    await eventually(() => expect(plain).toEqual([5]), PATIENCE);
  });
});

describe.each(["redis", "nats"] as const)("while %s is away, server.subscribe", (engine) => {
  test("finds what was published meanwhile where it is kept, and is told of the gap where it is not", async () => {
    const port = engine === "redis" ? (await startRedis()).port : (await startNats()).port;
    const proxy = await startProxy(port);
    const at = (port: number): ConfigInput =>
      engine === "redis" ? { engine, redis: { port } } : { engine, nats: { servers: [`127.0.0.1:${port}`] } };
    const near = await startServer({ ...at(proxy.port), apps: APPS, publishWaitS: 1 });
    const far = await startServer({ ...at(port), apps: APPS });
    const heard: unknown[] = [];
    for (const channel of ["kept-orders", "orders"]) {
      const onGap = () => heard.push(`${channel} gap`);
      await near.subscribe(channel, ({ data }) => heard.push(`${channel} ${data}`), { onGap });
    }
    const tell = async (data: number) => {
      for (const channel of ["kept-orders", "orders"]) await far.channel(channel).push({ event: "said", data });
    };
    await tell(1);
    await eventually(() => expect(heard).toEqual(["kept-orders 1", "orders 1"]), PATIENCE);
    proxy.cut();
    await tell(2);
    await expect(near.subscribe("late", () => {})).rejects.toMatchObject({ code: "engine_unavailable" });
    proxy.mend();
    await eventually(() => expect(heard).toContain("orders gap"), PATIENCE);
    await eventually(() => expect(heard).toContain("kept-orders 2"), PATIENCE);
    await tell(3);
    await eventually(() => expect(heard).toContain("orders 3"), PATIENCE);
    await eventually(() => expect(heard).toContain("kept-orders 3"), PATIENCE);
    const of = (channel: string) => heard.filter((each) => String(each).startsWith(channel));
    expect(of("kept-orders")).toEqual(["kept-orders 1", "kept-orders 2", "kept-orders 3"]);
    expect([...new Set(of("orders"))]).toEqual(["orders 1", "orders gap", "orders 3"]);
  });
});

test("with workers, each process of a program receives what it subscribes to, the first one too (S25)", async () => {
  const server = await startWorkers({ workers: 2 });
  await Promise.all([server.prints(/^primary follows$/m), server.prints(/^worker follows$/m)]);
  const placed = await oneOnEach(server.url, 2);
  for (const [n, { client }] of placed.entries()) {
    await client.ask("say", { ask: "say", channel: "followed", text: String(n) });
  }
  await trigger(server.url, APP, { name: "said", channel: "followed", data: "9" });
  const heardBy = (who: string) =>
    [...server.output.matchAll(new RegExp(`^${who} hears (.+)$`, "gm"))].map((m) => m[1]);
  const all = ['said "0"', 'said "1"', "said 9"];
  for (const who of ["primary", "worker"]) await eventually(() => expect(heardBy(who)).toEqual(all), PATIENCE);
});

describe("a listener of server.subscribe", () => {
  test("is called one event after the other, however long each takes, and nothing waits for it", async () => {
    const server = await startServer({}, { anonymous: true });
    const client = await connectNative(server.url);
    await client.subscribe("room");
    const log: string[] = [];
    await server.subscribe("room", async ({ data }) => {
      log.push(`begin ${data}`);
      await Bun.sleep(data === 1 ? 100 : 1);
      log.push(`end ${data}`);
    });
    for (const data of [1, 2, 3]) await server.toChannel("room").push({ event: "said", data });
    for (const data of [1, 2, 3]) expect((await client.next("said")).data).toBe(data);
    expect(log).toEqual(["begin 1"]);
    const whole = [1, 2, 3].flatMap((n) => [`begin ${n}`, `end ${n}`]);
    await eventually(() => expect(log).toEqual(whole));
  });

  test("that throws is reported, and gets the next event all the same", async () => {
    const server = await startServer();
    const [heard, failed]: [unknown[], string[]] = [[], []];
    server.on("error", (error, during) => failed.push(`${during}: ${(error as Error).message}`));
    await server.subscribe("room", ({ data }) => {
      heard.push(data);
      if (data === 1) throw new Error("not one");
      return data === 2 ? Promise.reject(new Error("not two")) : undefined;
    });
    for (const data of [1, 2, 3]) await server.toChannel("room").push({ event: "said", data });
    await eventually(() => expect(heard).toEqual([1, 2, 3]));
    await eventually(() =>
      expect(failed).toEqual(["the subscription to room: not one", "the subscription to room: not two"]),
    );
  });

  test("that is slower than its channel is told of a gap, and its program of how much was left out", async () => {
    const server = await startServer({ limits: { outboundBufferBytes: 100_000 } });
    const [heard, failed]: [unknown[], string[]] = [[], []];
    server.on("error", (error) => failed.push((error as Error).message));
    const { promise: stuck, resolve: go } = Promise.withResolvers<void>();
    await server.subscribe(
      "room",
      async ({ data }) => {
        heard.push(Number(String(data).slice(0, 3)));
        await stuck;
      },
      { onGap: () => heard.push("gap") },
    );
    const push = (n: number) =>
      server.toChannel("room").push({ event: "said", data: `${String(n).padStart(3, "0")}${"x".repeat(30_000)}` });
    for (let n = 0; n < 6; n++) await push(n);
    await eventually(() =>
      expect(failed).toEqual([expect.stringMatching(/^The listener to room is slower than the channel: \d+ events/)]),
    );
    go();
    await push(6);
    await eventually(() => expect(heard.at(-1)).toBe(6));
    expect(heard.slice(0, 2)).toEqual([0, "gap"]);
  });

  test("takes no place in the channel, and ends with the server", async () => {
    const server = await startServer({}, { anonymous: true, channels: [{ match: "small", maxSubscribers: 1 }] });
    const heard: unknown[] = [];
    await server.subscribe("small", ({ data }) => heard.push(data));
    await (await connectNative(server.url)).subscribe("small");
    await server.stop();
    await expect(async () => server.subscribe("small", () => {})).toThrow("not running");
    await server.start();
    await server.toChannel("small").push({ event: "said", data: 1 });
    await Bun.sleep(20);
    expect(heard).toEqual([]);
    await expect(server.subscribe("no space", () => {})).rejects.toMatchObject({ code: "channel_invalid" });
  });
});
