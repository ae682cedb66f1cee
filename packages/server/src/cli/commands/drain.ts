/** `fanfare drain`: has the running server send its clients to other nodes, until that is ended. */

import type { Status } from "../../server/lifecycle/status.ts";
import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { grouped } from "../output.ts";

export async function drain({ end, ...options }: LocationOptions & { readonly end?: true }): Promise<string> {
  const path = end ? "/drain?end" : "/drain";
  const { draining, stopping, connections } = await askRunning<Status>(await locationOf(options), "POST", path);
  if (stopping) return "stopping: it drains, and then ends";
  if (!draining) return "takes clients";
  return `draining: ${grouped(connections)} connections; take clients again with \`fanfare drain --end\``;
}
