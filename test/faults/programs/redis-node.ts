/** A node that holds what `node.json` in its folder says, until it is killed. */

import type { RedisSettings } from "../../../src/engines/redis/settings.ts";
import { RedisNode } from "../../support/redis-node.ts";
import type { Holdings } from "../redis-process.ts";

const { settings, holdings }: { settings: RedisSettings; holdings: Holdings } = await Bun.file("node.json").json();
const node = new RedisNode(settings);
const { rows, tallies, places } = holdings;
await node.engine.start(node);
for (let from = 0; from < rows.length; from += 500) {
  await Promise.all(
    rows.slice(from, from + 500).map(([channel, user, connection]) => node.join(channel, user, connection)),
  );
}
for (const [channel, count] of tallies) await node.engine.registry.tally("app", channel, count);
for (const [place, holder] of places) await node.engine.ledger.take(place, holder, 100);
console.log(`clock ${Date.now()}`);
console.log("holding");
setInterval(() => {
  for (const fact of node.facts.splice(0)) console.log(`fact ${JSON.stringify(fact)}`);
  for (const failure of node.failures.splice(0)) console.log(`failure ${failure}`);
}, 20);
