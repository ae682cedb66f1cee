/** What a node's program does that is there to be killed. */

import type { EngineNode } from "../../../packages/server/testing/engine-node.ts";
import type { Holdings } from "../holder.ts";

/** Starts a node as `node.json` in its folder says, and holds what is written there. */
export async function hold<Settings>(nodeOf: (settings: Settings) => EngineNode): Promise<void> {
  const { settings, holdings }: { settings: Settings; holdings: Holdings } = await Bun.file("node.json").json();
  const node = nodeOf(settings);
  await node.engine.start(node);
  const { rows, states, tallies, places, channels } = holdings;
  for (const channel of channels) await node.subscribe(channel);
  for (let from = 0; from < rows.length; from += 500) {
    await Promise.all(
      rows.slice(from, from + 500).map(([channel, user, connection]) => node.join(channel, user, connection)),
    );
  }
  for (const [channel, id, connection, state] of states) await node.update(channel, { id, state }, connection);
  for (const [channel, count] of tallies) await node.engine.registry.setSubscriberCount("app", channel, count);
  for (const [place, holder] of places) await node.engine.ledger.acquire(place, holder, 100);
  console.log(`clock ${Date.now()}`);
  console.log("holding");
  setInterval(() => {
    for (const fact of node.facts.splice(0)) console.log(`fact ${JSON.stringify(fact)}`);
    for (const each of node.received.splice(0)) if (each.type === "event") console.log(`heard ${each.data}`);
    for (const _ of node.interruptions.splice(0)) console.log("interrupted");
    for (const failure of node.failures.splice(0)) console.log(`failure ${failure}`);
  }, 20);
}
