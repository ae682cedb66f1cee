/** A NATS that dies with what was written and heard, before it answered who wrote it. */

import { expect, test } from "bun:test";
import { startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { APP } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { startListeners } from "./listener.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const TEST_MS = 180_000;
const CHANNEL = "kept-room";

test(
  "what is sent again because nobody answered is heard once, though its first place is lost",
  async () => {
    const server = await startNats();
    const node = await startNode({ engine: "nats", nats: { servers: [server.address] } });
    const wire = await startProxy(server.port);
    const settings = natsSettingsFor([{ address: `127.0.0.1:${wire.port}` }], { publishWaitMs: 60_000 });
    const publisher = await startNatsNode({ ...settings, prefix: "fanfare" });
    const listeners = [
      ...(await startListeners(1, "native", CHANNEL, () => node.url)),
      ...(await startListeners(1, "pusher", CHANNEL, () => node.url)),
    ];
    const say = (data: string) =>
      publisher.engine.broker.publish(
        { type: "event", app: APP.id, channel: CHANNEL, event: "e", data },
        { size: 100, ttlMs: 600_000 },
      );
    const hears = async (said: readonly string[]) => {
      for (const { heard } of listeners) await eventually(() => expect(heard).toEqual([...said]), PATIENCE);
    };
    await say("x-0");
    wire.swallow("answers");
    const unanswered = say("x-1");
    await hears(["x-0", "x-1"]);
    await server.kill();
    await server.start();
    wire.mend();
    await unanswered;
    await say("x-2");
    await say("x-3");
    await hears(["x-0", "x-1", "x-2", "x-3"]);
    const [late] = await startListeners(1, "native", CHANNEL, () => node.url);
    await say("x-4");
    await hears(["x-0", "x-1", "x-2", "x-3", "x-4"]);
    await eventually(() => expect(late?.heard).toEqual(["x-4"]), PATIENCE);
    for (const { closes } of listeners) expect(closes).toEqual([]);
  },
  TEST_MS,
);
