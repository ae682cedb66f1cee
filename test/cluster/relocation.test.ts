/** Which connections are asked to reconnect so that a cluster fills evenly, when, and for how long. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { engineSettings } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { connectPusher, RECOVER, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { QUICK, startFillingNode } from "./filling.ts";

setDefaultTimeout(120_000);

const PATIENCE = { withinMs: 60_000, everyMs: 100 };

describe("who is asked to reconnect", () => {
  const MANUAL = { ...QUICK, rebalance: "manual", rebalanceHoldS: 3 } as const;

  test("are those that miss nothing by it, and only on demand where the settings say so", async () => {
    const where = await engineSettings("redis");
    const one = await startFillingNode(where, { cluster: MANUAL });
    const stay = {
      "in a channel that keeps nothing": await connectNative(one.url),
      "in a channel that keeps too little": await connectNative(one.url),
      "in a cache channel": await connectNative(one.url),
      "put into a channel by its back end": await connectNative(one.url),
      "whose token ends": await connectAs(one.url, "eve", { exp: Math.floor(Date.now() / 1000) + 20 }),
    };
    const go = [await connectNative(one.url), await connectAs(one.url, "ada"), await connectNative(one.url)];
    const recovering = await connectPusher(one.url, { query: RECOVER });
    const plain = await connectPusher(one.url);
    await stay["in a channel that keeps nothing"].subscribe("plain-1");
    await stay["in a channel that keeps nothing"].subscribe("kept-1");
    await stay["in a channel that keeps too little"].subscribe("brief-1");
    await stay["in a cache channel"].subscribe("cache-1");
    const put = stay["put into a channel by its back end"];
    const body = { channel: "kept-1" };
    await signedFetch(one.url, APP, "POST", `/connections/${put.id}/subscribe`, { body });
    await go[0]?.subscribe("kept-1");
    await recovering.subscribe("kept-1");
    await plain.subscribe("kept-1");
    const other = await startFillingNode(where, { cluster: MANUAL });
    await eventually(async () => expect(await one.nodes()).toHaveLength(2), PATIENCE);
    await Bun.sleep(3_000);
    for (const client of go) await client.ping();
    const stayers = Object.keys(stay).length + 1;
    expect(await other.rebalance()).toEqual({
      ...{ nodes: 2, missing: 0, connections: stayers + 4, movable: 4, surplus: 4, isEven: false },
    });
    for (const client of go) {
      expect(await client.next("closing")).toMatchObject({ code: "reconnect", reconnect: "now" });
    }
    expect((await recovering.socket.closed).code).toBe(4200);
    for (const client of Object.values(stay)) await client.ping();
    await plain.ping();
    await Promise.all([one.stop(), other.stop()]);
  });

  test("are not those who are signed in, where the app sends events to users", async () => {
    const where = await engineSettings("redis");
    const one = await startFillingNode(where, { cluster: MANUAL });
    const other = await startFillingNode(where, { cluster: MANUAL });
    const clients = [await connectAs(one.url, "ada"), await connectAs(one.url, "bob"), await connectNative(one.url)];
    for (const client of clients) await client.ping();
    await eventually(async () => expect(await one.nodes()).toHaveLength(2), PATIENCE);
    await one.toUser("ada").push({ event: "hello", data: 1 });
    await clients[0]?.next("hello");
    expect(await one.rebalance()).toMatchObject({ connections: 3, movable: 1 });
    await Promise.all([one.stop(), other.stop()]);
  });

  test("are no more where they come back to the same node, which is said once", async () => {
    const where = await engineSettings("redis");
    const file = join(temporaryFolder(), "log");
    const log = { level: "info", format: "json", file } as const;
    const one = await startFillingNode(where, { cluster: MANUAL, log });
    const other = await startFillingNode(where, { cluster: MANUAL });
    let [isOver, returns] = [false, 0];
    const stubborn = async (): Promise<void> => {
      const client = await connectNative(one.url);
      await client.socket.closed;
      returns++;
      if (!isOver) await stubborn();
    };
    const coming = Array.from({ length: 20 }, stubborn);
    await eventually(async () => expect((await one.nodes()).map((node) => node.connections)).toContain(20), PATIENCE);
    await one.rebalance();
    const said = () =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line.includes("no more are asked"));
    await eventually(() => expect(said()).toHaveLength(1), PATIENCE);
    const before = returns;
    expect(before).toBe(20);
    await Bun.sleep(3_500);
    expect([said().length, returns]).toEqual([1, before]);
    isOver = true;
    await Promise.all([one.stop(), other.stop(), ...coming]);
  });
});
