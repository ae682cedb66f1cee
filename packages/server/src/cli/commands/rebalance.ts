/** `fanfare rebalance`: has the nodes that have more connections than their even share ask some to come back, to the others. */

import type { ClusterShares } from "../../domain/ports.ts";
import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { grouped, type Report } from "../output.ts";

export async function rebalance(options: LocationOptions): Promise<Report> {
  const shares = await askRunning<ClusterShares>(await locationOf(options), "POST", "/rebalance");
  return { json: shares, text: textOf(shares) };
}

function textOf({ nodes, missing, connections, movable, surplus, isEven }: ClusterShares): string {
  const here = `${grouped(connections)} connections on ${grouped(nodes)} ${nodes === 1 ? "node" : "nodes"}`;
  const silent = missing > 0 ? `; ${grouped(missing)} did not answer` : "";
  if (isEven) return `even already: ${here}${silent}`;
  const movables = `${grouped(movable)} of them can come back elsewhere without missing anything`;
  return `asks ${grouped(surplus)} to reconnect, little by little: ${here}, ${movables}${silent}`;
}
