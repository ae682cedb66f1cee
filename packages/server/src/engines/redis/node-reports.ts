/** Reads what the nodes said of themselves, as they are written in Redis, where anybody may write. */

import type { NodeReport, NodeState } from "../../domain/ports.ts";
import { asParts } from "./registry-scripts.ts";

/** From the answer of the script. */
export function parseNodeStates(answer: unknown): readonly NodeState[] {
  const [now, beats, reports] = asParts(answer);
  const saidBy = pairs(reports);
  return [...pairs(beats)].flatMap(([generation, atMs]): NodeState[] => {
    const report = reportOf(saidBy.get(generation));
    return report ? [{ ...report, silentMs: Math.max(0, Number(now) - Number(atMs)) }] : [];
  });
}

function pairs(flat: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const all = asParts(flat).map(String);
  for (let at = 0; at + 1 < all.length; at += 2) found.set(all[at] ?? "", all[at + 1] ?? "");
  return found;
}

function reportOf(text: string | undefined): NodeReport | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
  if (typeof said !== "object" || said === null) return undefined;
  const { id, name, url, startedAtMs, connections, lagMs, memoryBytes, draining, unready } = said as Partial<
    Record<string, unknown>
  >;
  if (typeof id !== "string" || typeof name !== "string") return undefined;
  return {
    id,
    name,
    ...(typeof url === "string" && { url }),
    startedAtMs: Number(startedAtMs) || 0,
    connections: Number(connections) || 0,
    lagMs: Number(lagMs) || 0,
    ...(typeof memoryBytes === "number" && { memoryBytes }),
    draining: draining === true,
    ...(unready === true && { unready }),
  };
}
