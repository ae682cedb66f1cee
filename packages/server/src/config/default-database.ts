/** The database of a server that is started by itself and names none, and of the commands that look into what it keeps. */

import { join } from "node:path";

export function defaultDatabaseUrl(stateDir: string): string {
  return `sqlite:${join(stateDir, "fanfare.db")}`;
}
