/** The readers of applications' outboxes, where there are any: nothing of them is loaded otherwise. */

import type { Outboxes } from "../outbox/outboxes.ts";
import type { Dependencies, Parts } from "./parts.ts";

export async function startOutboxes(
  { config, clock, storage }: Dependencies,
  { hub, apps, engine, nodeId }: Parts,
): Promise<Outboxes | undefined> {
  if (config.outbox.length === 0) return undefined;
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
