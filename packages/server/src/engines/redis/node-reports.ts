/** What nodes report of themselves, as it is written in Redis, where other programs may write, too. */

import type { NodeReport, NodeState } from "../../domain/ports.ts";
import { asRecord, asString } from "../shared/parse.ts";
import { asParts } from "./registry-scripts.ts";

/** Reads the answer of the script. */
export function parseNodeStates(answer: unknown): readonly NodeState[] {
  const [now, heartbeats, reports] = asParts(answer);
  const reportOf = pairs(reports);
  return [...pairs(heartbeats)].flatMap(([incarnation, atMs]): NodeState[] => {
    const report = parseReport(reportOf.get(incarnation) ?? "");
    return report ? [{ ...report, silentMs: Math.max(0, Number(now) - Number(atMs)) }] : [];
  });
}

function pairs(flat: unknown): ReadonlyMap<string, string> {
  const all = asParts(flat).map(String);
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < all.length; at += 2) found.set(all[at] ?? "", all[at + 1] ?? "");
  return found;
}

function parseReport(text: string): NodeReport | undefined {
  try {
    const { id, name, url, startedAtMs, connections, lagMs, memoryBytes, draining, unready, ...where } = asRecord(
      JSON.parse(text),
    );
    const { connectionsLimit, portGroup } = where;
    return {
      id: asString(id),
      name: asString(name),
      ...(typeof url === "string" && { url }),
      startedAtMs: Number(startedAtMs) || 0,
      connections: Number(connections) || 0,
      lagMs: Number(lagMs) || 0,
      ...(typeof memoryBytes === "number" && { memoryBytes }),
      draining: draining === true,
      ...(unready === true && { unready }),
      ...(typeof connectionsLimit === "number" && { connectionsLimit }),
      ...(typeof portGroup === "string" && { portGroup }),
    };
  } catch {
    return undefined;
  }
}
