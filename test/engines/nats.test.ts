/** The NATS engine over a real nats-server. */

import { expect, test } from "bun:test";
import { natsEngine } from "../../src/engines/nats/engine.ts";
import { DEFAULTS } from "../../src/engines/nats/settings.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { awayContract } from "./away-contract.ts";
import { brokerContract } from "./contract.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { registryContract } from "./registry-contract.ts";

const server = await startNats();
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Nobody else is on its stream. */
const alone = () => {
  const prefix = `t${crypto.randomUUID().slice(0, 8)}`;
  return {
    engine: natsEngine(clock, { ...DEFAULTS, servers: [server.address], prefix }),
    pass: (ms: number) => Bun.sleep(ms),
  };
};

brokerContract("nats", alone);
registryContract("nats", alone);
ledgerContract("nats", alone);

awayContract("nats", async ({ waitMs, waitBytes }) => {
  const own = await startNats();
  const node = await startNatsNode(natsSettingsFor([own], { publishWaitMs: waitMs, publishWaitBytes: waitBytes }));
  const leave = async () => {
    await own.kill();
    await eventually(() => expect(node.engine.health().reachable).toBe(false));
  };
  return { node, leave, comeBack: () => own.start() };
});

test("many nodes that start in the same moment are all there at once", async () => {
  const settings = natsSettingsFor([server], { prefix: `t${crypto.randomUUID().slice(0, 8)}` });
  const nodes = await Promise.all(Array.from({ length: 12 }, () => startNatsNode(settings)));
  for (const { engine } of nodes) expect(engine.health()).toEqual({ reachable: true });
  const [first] = nodes;
  await eventually(async () => expect(await first?.engine.nodes()).toHaveLength(12));
});
