/** The readers of applications' outboxes, where there are any: nothing of them is loaded otherwise. */

import type { Outboxes } from "../outbox/outboxes.ts";
import type { Dependencies, Parts } from "./parts.ts";

export async function startOutboxes(
  { config, clock, storage, log }: Dependencies,
  { hub, apps, engine, nodeId }: Parts,
): Promise<Outboxes | undefined> {
  if (config.outbox.length === 0) return undefined;
  const weakness = engine.broker.expireKey ? WEAKNESSES[engine.name] : FIVE_MINUTES;
  if (weakness !== undefined) log.info({ engine: engine.name }, weakness);
  const { Outboxes } = await import("../outbox/outboxes.ts");
  const outboxes = await Outboxes.open({
    ...{ settings: config.outbox, hub, clock, node: nodeId },
    ...{ broker: engine.broker, ledger: engine.ledger },
    appById: (id) => apps.byId(id),
    mostBytes: () =>
      Math.max(config.defaults.limits.eventDataBytes, ...apps.known.map(({ limits }) => limits.eventDataBytes)),
    counted: (source, what, count) => storage.metrics.outboxCounted(source, what, count),
  });
  outboxes.start();
  return outboxes;
}

/** Where an outbox is less than exactly once, as docs/outbox.md says of each engine: said when it begins. */
const FIVE_MINUTES =
  "outbox: this engine remembers for 5 minutes, not for an hour, which rows were published: one whose reader dies before it deletes it, with no other for longer than that, is published again";
const WEAKNESSES: Readonly<Record<string, string>> = {
  memory:
    "outbox: if this process is killed between publishing a row and deleting it, the row is published again at the next start, for the engine `memory` forgets that it was",
};
