/** How this node is called where people read a list of them. */

import { hostname } from "node:os";

export function nodeName(pid = process.pid): string {
  return `${hostname()}:${pid}`;
}

/** The same for all processes of one server, by that which has started the others. */
export function portGroupOf(primaryPid: number): string {
  return nodeName(primaryPid);
}
