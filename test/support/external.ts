/** What npm cannot install, as tests ask for it. What a test file needs is read off these calls, in it and in what it imports. */

import { describeExternal, type ExternalName, findExternal } from "../../scripts/externals.ts";

/** Its path. The name has to be written out at the call: `external("redis-server")`. */
export function external(name: ExternalName): string {
  const path = findExternal(name);
  if (path === undefined) throw new Error(`${name} is missing (${describeExternal(name).why}).`);
  return path;
}
