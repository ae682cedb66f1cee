/** How this node is called where people read a list of them. */

import { hostname } from "node:os";

export function nodeName(pid = process.pid): string {
  return `${hostname()}:${pid}`;
}
