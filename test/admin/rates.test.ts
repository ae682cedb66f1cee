/** What the dashboard is told by the second: numbers with latencies and refusals, and the channels in which most is said. */

import { describe, expect, test } from "bun:test";
import {
  addPoints,
  type ChannelRate,
  latencyQuantileMs,
  noStatistics,
  type Point,
} from "../../packages/server/src/admin/api-types.ts";
import type { HubEvent } from "../../packages/server/src/domain/hub-event.ts";
import { ChannelRates } from "../../packages/server/src/observers/feed/channel-rates.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startRedis } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { type Live, SIGNED, signedIn } from "./visitor.ts";

/** All that was told of the seconds so far, each second of each node once. */
function secondsOf(live: Live): Map<string, Point> {
  const told = new Map<string, Point>();
  for (const { event, data } of live.socket.frames) {
    const { node, points = [], point } = (data ?? {}) as { node: string; points?: Point[]; point?: Point };
    if (event === "earlier_seconds") for (const one of points) told.set(`${node} ${one.atMs}`, one);
    if (event === "seconds" && point) told.set(`${node} ${point.atMs}`, point);
  }
  return told;
}

const together = (live: Live): Point => [...secondsOf(live).values()].reduce(addPoints, { ...noStatistics(), atMs: 0 });

/** By channel, of all nodes and seconds together. */
function ratesOf(live: Live): Map<string, ChannelRate> {
  const sums = new Map<string, ChannelRate>();
  for (const { event, data } of live.socket.frames) {
    if (event !== "channels") continue;
    for (const rate of (data as { rates: ChannelRate[] }).rates) {
      const before = sums.get(rate.channel) ?? { ...rate, in: 0, out: 0 };
      sums.set(rate.channel, { ...before, ...rate, in: before.in + rate.in, out: before.out + rate.out });
    }
  }
  return sums;
}

async function twoNodes() {
  const redis = await startRedis();
  const config = { ...SIGNED, engine: "redis", redis: { port: redis.port } } as const;
  return [await startServer(config), await startServer(config)] as const;
}

describe("numbers by the second", () => {
  test("have latencies and refusals, those of the last minutes too", async () => {
    const server = await startServer(SIGNED);
    const client = await connectNative(server.url);
    await client.subscribe("news");
    await server.toChannel("news").push({ event: "told", data: 1 });
    await expect(client.ask("subscribe", { channel: "private-room" })).resolves.toMatchObject({ event: "error" });
    await expect(connectNative(server.url, { app: "no-such-key" })).rejects.toThrow();
    await Bun.sleep(1_100);
    const live = await (await signedIn(server.url, "vera")).watch();
    await live.subscribe({ type: "seconds" });
    await eventually(() => {
      const { refused, latency = [] } = together(live);
      expect(refused).toEqual({ unauthorized: 1, app_unknown: 1 });
      expect(latencyQuantileMs(latency, 0.99)).toBeGreaterThan(0);
    });
    const ofApp = await (await signedIn(server.url, "vera")).watch();
    await ofApp.subscribe({ type: "seconds", app: "app" });
    await eventually(() => expect(together(ofApp)).toMatchObject({ refused: { unauthorized: 1 }, apiMessages: 1 }));
    expect(together(ofApp).latency).toBeUndefined();
  });

  test("are those of every node, before somebody watched as well", async () => {
    const [one, two] = await twoNodes();
    for (const { url } of [one, two]) {
      const client = await connectNative(url);
      await client.ask("subscribe", { channel: "private-room" });
    }
    await Bun.sleep(1_100);
    const live = await (await signedIn(one.url, "vera")).watch();
    await live.subscribe({ type: "seconds" });
    await eventually(() => expect(together(live).refused).toEqual({ unauthorized: 2 }));
  }, 40_000);
});

describe("the busiest channels", () => {
  test("are told with what goes in and out and the last event, of every node together", async () => {
    const [one, two] = await twoNodes();
    for (const { url } of [one, two, two]) await (await connectNative(url)).subscribe("busy");
    await (await connectNative(one.url)).subscribe("quiet");
    const live = await (await signedIn(one.url, "vera")).watch();
    await live.subscribe({ type: "channels", app: "app" });
    const narrow = await (await signedIn(two.url, "vera")).watch();
    await narrow.subscribe({ type: "channels", channel: "qui*" });
    // Each node has to hear that it is watched.
    const nodes = (at: Live) => new Set(at.socket.frames.map(({ data }) => (data as { node?: string })?.node)).size;
    await eventually(() => expect([nodes(live), nodes(narrow)].every((count) => count >= 2)).toBe(true));
    for (let n = 0; n < 10; n++) {
      await one.toChannel("busy").push({ event: "tick", data: n });
      await two.toChannel("busy").push({ event: "tock", data: n });
    }
    await two.toChannel("quiet").push({ event: "once", data: 0 });
    await one.toChannel("unheard").push({ event: "alone", data: 0 });
    await eventually(() => {
      expect(ratesOf(live).get("busy")).toMatchObject({ app: "app", in: 20, out: 60 });
      expect(ratesOf(live).get("quiet")).toMatchObject({ in: 1, out: 1 });
      expect(ratesOf(live).get("unheard")).toMatchObject({ in: 1, out: 0, last: { event: "alone" } });
      expect([...ratesOf(narrow).keys()]).toEqual(["quiet"]);
    });
  }, 40_000);

  test("keep their counters however many channels there are, in bounded room", () => {
    const rates = new ChannelRates({ wallMs: () => 1_000, monotonicMs: () => 0 });
    rates.watch(new Map([["live", {}]]));
    const publish = (channel: string) =>
      rates.observe({
        type: "published",
        app: { id: "app" },
        publication: { type: "event", app: "app", channel, event: "tick", data: "1" },
      } as unknown as HubEvent);
    for (let n = 0; n < 5_000; n++) {
      publish(`one-of-many-${n}`);
      if (n % 10 === 0) publish("often");
      if (n % 50 === 0) rates.sent("app", "heard", 40);
    }
    rates.sent("#dashboard", "live-x", 9);
    rates.sent("app", "#online-ada", 9);
    const told = rates.take("live");
    expect(told.length).toBe(50);
    expect(told[0]).toEqual({ app: "app", channel: "heard", in: 0, out: 4_000 });
    expect(told[1]).toMatchObject({ channel: "often", in: 500, last: { event: "tick", atMs: 1_000 } });
    expect(told.some(({ channel }) => channel.includes("#") || channel.startsWith("live-"))).toBe(false);
    expect(rates.take("live")).toEqual([]);
    rates.watch(new Map());
    publish("often");
    expect(rates.take("live")).toEqual([]);
  });
});
