/** Checks what the server shares with others: the Redis or NATS between its nodes, as the server itself would reach it. */

import { errorReason } from "../../config/config-error.ts";
import type { Config } from "../../config/load.ts";
import type { Engine } from "../../domain/ports.ts";
import { createClusterEngine } from "../../server/cluster/create-engine.ts";
import { machineClock } from "../../server/system/machine-clock.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, problem } = findings("engine");

export async function checkEngine(config: Config): Promise<Finding[]> {
  const warnings: string[] = [];
  let engine: Engine | undefined;
  try {
    engine = await createClusterEngine({ config, clock: machineClock, warn: (sentence) => warnings.push(sentence) });
  } catch (error) {
    return [problem(errorReason(error), `see the settings below \`${config.engine}\``)];
  }
  if (!engine) return [ok(config.workers > 1 ? `memory, shared by ${config.workers} workers` : "memory, one process")];
  const { engine: name } = config;
  try {
    await engine.start({
      receive: () => {},
      interrupted: () => {},
      registryChanged: () => {},
      failed: () => {},
      // A look does not make it a node that clients could be sent to.
      report: () => ({ id: LOOK, name: LOOK, startedAtMs: Date.now(), connections: 0, lagMs: 0, draining: true }),
    });
    const health = engine.health();
    if (!health.reachable) return [problem(health.why, `see the settings below \`${name}\`, and whether it runs`)];
    const nodes = (await engine.nodes()).filter(({ id }) => id !== LOOK);
    const change = "docs/operating.md, several machines, says what it has to be";
    return [
      ok(`${name} can be reached; ${nodes.length} nodes`),
      ...warnings.map((sentence) => warning(sentence, change)),
    ];
  } finally {
    await engine.close();
  }
}

const LOOK = "doctor";
