/** Nodes that are filled with connections. */

import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { type AppInput, startServer } from "../support/server.ts";

/** Channels keep what was published, but for those named `plain…`; `brief…` not for long, and `cache-…` only the last. */
const KEPT: Partial<AppInput> = {
  anonymous: true,
  limits: { presenceMembers: 10_000, subscribesPerSecond: 10_000 },
  channels: [
    { match: "plain*", clientPublish: "any" },
    { match: "cache-*", cacheTtlS: 60, clientPublish: "any" },
    { match: "brief*", history: { size: 100, ttlS: 1 }, clientPublish: "any" },
    { match: "*", history: { size: 10_000, ttlS: 600 }, clientPublish: "any" },
  ],
};

export const QUICK = { rebalanceDelayS: 0.5, rebalancePerS: 200, rebalanceHoldS: 5 } as const;

/** Ends with the test, or with the file at its top level. */
export function startFillingNode(where: ConfigInput, config: ConfigInput = {}): Promise<Server> {
  return startServer({ ...where, nodeTimeoutS: 5, cluster: QUICK, ...config }, KEPT);
}
