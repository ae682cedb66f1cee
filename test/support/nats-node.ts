/** A node of a cluster on a NATS. */

import { createNatsEngine } from "../../packages/nats/src/engine.ts";
import { DEFAULTS, type NatsSettings } from "../../packages/nats/src/settings.ts";
import { EngineNode, realClock } from "../../packages/server/testing/engine-node.ts";
import { atEnd } from "./at-end.ts";

/** On a stream of its own. */
export function natsSettingsFor(
  servers: readonly { address: string }[],
  more: Partial<NatsSettings> = {},
): NatsSettings {
  const prefix = `t${crypto.randomUUID().slice(0, 8)}`;
  return { ...DEFAULTS, servers: servers.map(({ address }) => address), prefix, ...more };
}

export class NatsNode extends EngineNode {
  constructor(settings: NatsSettings) {
    super(createNatsEngine(realClock, settings));
  }
}

/** Ends with the test. */
export async function startNatsNode(settings: NatsSettings): Promise<NatsNode> {
  const node = new NatsNode(settings);
  atEnd(() => node.engine.close());
  await node.engine.start(node);
  return node;
}
