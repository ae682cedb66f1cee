/** A new SQLite database, removed with the test that asked for it. */

import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

export function sqliteFile(): string {
  return `sqlite:${join(temporaryFolder(), "test.db")}`;
}
