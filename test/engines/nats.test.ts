/** The NATS engine over a real nats-server. */

import { expect, test } from "bun:test";
import { connect, type Msg } from "@nats-io/transport-node";
import { createNatsEngine } from "../../packages/nats/src/engine.ts";
import { DEFAULTS } from "../../packages/nats/src/settings.ts";
import { engineContract, outageContract, silentConnectionContract } from "../../packages/server/testing/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { nothingTold, ONLY_PONGS, startNats } from "../support/nats.ts";
import { natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { runner } from "../support/runner.ts";
import { startProxy } from "../support/tcp-proxy.ts";

const server = await startNats();
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Nobody else is on its stream. */
const alone = () => {
  const prefix = `t${crypto.randomUUID().slice(0, 8)}`;
  return {
    engine: createNatsEngine(clock, { ...DEFAULTS, servers: [server.address], prefix }),
    pass: (ms: number) => Bun.sleep(ms),
  };
};

engineContract(runner, "nats", alone);

outageContract(runner, "nats", async ({ waitMs, waitBytes }) => {
  const own = await startNats();
  const node = await startNatsNode(natsSettingsFor([own], { publishWaitMs: waitMs, publishWaitBytes: waitBytes }));
  const leave = async () => {
    await own.kill();
    await eventually(() => expect(node.engine.health().reachable).toBe(false));
  };
  return { node, leave, comeBack: () => own.start() };
});

silentConnectionContract(runner, "nats", {
  "nothing comes but the answers to PING": async () => {
    const proxy = await startProxy(server.port);
    const node = await startNatsNode(natsSettingsFor([{ address: `127.0.0.1:${proxy.port}` }]));
    return { node, silence: () => proxy.sift(ONLY_PONGS), restore: () => proxy.mend() };
  },
  "all is answered, and nothing is told": async () => {
    const proxy = await startProxy(server.port);
    const settings = natsSettingsFor([{ address: `127.0.0.1:${proxy.port}` }]);
    const node = await startNatsNode(settings);
    return { node, silence: () => proxy.sift(nothingTold(settings.prefix)), restore: () => proxy.mend() };
  },
});

test("a node that was led to another NATS, which is empty, is told so when it is back, and hears again", async () => {
  const [proxy, other] = [await startProxy(server.port), await startNats()];
  const settings = natsSettingsFor([server]);
  const here = await startNatsNode(settings);
  const led = await startNatsNode({ ...settings, servers: [`127.0.0.1:${proxy.port}`] });
  await led.subscribe("room");
  proxy.lead(other.port);
  await eventually(() => expect(led.interruptions).toHaveLength(1), { withinMs: 60_000 });
  await here.publish("room", "missed");
  proxy.lead(server.port);
  await eventually(() => expect(led.interruptions).toHaveLength(2), { withinMs: 60_000 });
  await here.publish("room", "after");
  await eventually(() => expect(led.heard("room")).toEqual(["after"]), { withinMs: 60_000 });
}, 180_000);

test("many nodes that start in the same moment are all there at once", async () => {
  const settings = natsSettingsFor([server], { prefix: `t${crypto.randomUUID().slice(0, 8)}` });
  const nodes = await Promise.all(Array.from({ length: 12 }, () => startNatsNode(settings)));
  for (const { engine } of nodes) expect(engine.health()).toEqual({ reachable: true });
  const [first] = nodes;
  await eventually(async () => expect(await first?.engine.nodes()).toHaveLength(12));
});

test("what comes a second time over NATS is heard once: arrivals and departures, too", async () => {
  const settings = natsSettingsFor([server]);
  const [a, b] = [await startNatsNode(settings), await startNatsNode(settings)];
  const tap = await connect({ servers: server.address });
  atEnd(() => tap.close());
  const carried: Msg[] = [];
  tap.subscribe(`${settings.prefix}.o.>`, { callback: (_, message) => void carried.push(message) });
  await tap.flush();
  await b.subscribe("presence-x");
  await a.join("presence-x", "1");
  await a.leave("presence-x", "1");
  await a.publish("presence-x", "said");
  await eventually(() => expect(b.received).toHaveLength(3));
  for (const { subject, data, headers } of [...carried]) tap.publish(subject, data, headers ? { headers } : {});
  await tap.flush();
  await a.publish("presence-x", "last");
  await eventually(() => expect(b.heard("presence-x").at(-1)).toBe("last"));
  expect(b.received.map(({ type }) => type)).toEqual(["joined", "left", "event", "event"]);
  expect([b.interruptions, b.failures]).toEqual([[], []]);
});
