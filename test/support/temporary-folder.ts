/** A new, empty folder that is removed with the test, or the file, that asked for it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEnd } from "./at-end.ts";

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
