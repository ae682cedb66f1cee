/** Where a client's further requests come to the node that has its connection, and need not be passed on. */

import type { Config } from "../../config/schema/schema.ts";
import type { Caller } from "../http/caller.ts";

/** Undefined where that is not known, where it has a scheme or a port of its own, and where the client is there already. */
export function pinFor(
  { nodeUrl, http }: Pick<Config, "nodeUrl" | "http">,
  { headers }: Request,
  { isEncrypted }: Caller,
): URL | undefined {
  const host = headers.get("host");
  if (nodeUrl === undefined || host === null || http.pin === "off") return undefined;
  const node = new URL(nodeUrl.replace(/^ws/, "http"));
  const here = `${isEncrypted ? "https" : "http"}://${host}`;
  if (!URL.canParse(here)) return undefined;
  const { protocol, hostname, port } = new URL(here);
  return node.protocol === protocol && node.port === port && node.hostname !== hostname ? node : undefined;
}
