/** Whole servers that are killed or stopped: who stays is told how many subscribe now, although nobody unsubscribed. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { ENGINES, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import type { PusherTestClient } from "../support/pusher-client.ts";

setDefaultTimeout(60_000);

const PATIENCE = { withinMs: 20_000, everyMs: 50 };

/** The last number that the client was told. */
function counted({ socket }: NativeTestClient | PusherTestClient): number | undefined {
  const told = socket.frames.flatMap(({ event, data }) => {
    if (event === "subscription_count") return (data as { count: number }).count;
    if (event !== "pusher_internal:subscription_count") return [];
    return (JSON.parse(String(data)) as { subscription_count: number }).subscription_count;
  });
  return told.at(-1);
}

test.each(ENGINES.flatMap((engine) => (["SIGKILL", "SIGTERM"] as const).map((signal) => [engine, signal] as const)))(
  "on %s, a node that goes by %s takes its subscribers out of the count that others are told",
  async (engine, signal) => {
    const [a, b] = await startCluster(engine, { app: { subscriptionCounts: true } });
    if (!a || !b) throw new Error("Two nodes were asked for.");
    const stay = [await b.native(), await b.pusher()];
    const go = [await a.native(), await a.native(), await a.native()];
    for (const client of [...stay, ...go]) await client.subscribe("room");
    for (const client of stay) await eventually(() => expect(counted(client)).toBe(5), PATIENCE);
    if (signal === "SIGKILL") await a.kill();
    else a.signal(signal);
    for (const client of stay) await eventually(() => expect(counted(client)).toBe(2), PATIENCE);
  },
);
