/** In which order webhooks tell how a channel comes to life and dies, on every engine. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { scaled } from "../support/soak.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startReceiver } from "./hooks.ts";

setDefaultTimeout(180_000);

const ROUNDS = scaled(15, 5);
const PATIENCE = { withinMs: 60_000, everyMs: 20 };

describe.each(EVERY_ENGINE)("on %s", (engine) => {
  test("a channel is occupied before its first members and its miss, and vacated after its last members, always", async () => {
    const { hooks, options } = startReceiver();
    // Without a database each worker has an outbox of its own.
    const database = { url: `sqlite:${join(temporaryFolder(), "fanfare.db")}` };
    const [one, other] = await startPair(engine, { ...options, config: { ...options.config, database } });
    // Two machines tell in order what each of them tells.
    const second = engine === "workers" ? other : one;
    for (let round = 0; round < ROUNDS; round++) {
      const channel = `presence-cache-${round}`;
      // One after the other: which worker a client is with is known only where no other comes meanwhile.
      const clients = [await one.pusher(), await second.pusher(), await one.pusher()];
      // All at once: whoever is counted first says that the channel is occupied, and the others must not be quicker.
      await Promise.all(clients.map((client, n) => client.subscribe(channel, { data: { user_id: `${n}` } })));
      await Promise.all(clients.map((client) => client.close()));
      const told = () => hooks.filter((hook) => hook.channel === channel).map(({ name }) => name);
      await eventually(() => expect(told()).toContain("channel_vacated"), PATIENCE);
      await eventually(() => expect(told().filter((name) => name === "member_removed")).toHaveLength(3), PATIENCE);
      const [first, ...rest] = told();
      expect(first).toBe("channel_occupied");
      // Each worker says once that there was nothing to hand out.
      const misses = rest.filter((name) => name === "cache_miss").length;
      expect(misses).toBeWithin(1, second === one ? 2 : 3);
      const came = rest.slice(0, misses + 3).sort();
      expect(came).toEqual([...Array(misses).fill("cache_miss"), "member_added", "member_added", "member_added"]);
      expect(rest.slice(misses + 3)).toEqual(["member_removed", "member_removed", "member_removed", "channel_vacated"]);
    }
  });
});
