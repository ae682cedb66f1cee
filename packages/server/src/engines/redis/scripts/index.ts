/** All scripts, which are loaded on each connection before it is used. */

import * as history from "./history.ts";
import * as ledger from "./ledger.ts";
import * as nodes from "./nodes.ts";
import * as publish from "./publish.ts";
import * as registry from "./registry.ts";
import type { Script } from "./script.ts";

export const SCRIPTS: readonly Script[] = Object.values({
  ...nodes,
  ...registry,
  ...ledger,
  ...publish,
  ...history,
}).filter((exported) => typeof exported === "object");
