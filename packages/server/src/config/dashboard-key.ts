/** The key to the dashboard where no account is configured: made when it is first needed, and kept in `stateDir`. */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createStateFile, readStateFile } from "./state-file.ts";

const KEY_BYTES = 32;
const KEY = /^[-\w]{43}$/;

export function dashboardKeyFile(stateDir: string): string {
  return join(stateDir, "dashboard-key");
}

/** Reads the key, or makes it. Throws what the file system throws, and where the file holds something else. */
export function dashboardKey(stateDir: string): string {
  const file = dashboardKeyFile(stateDir);
  const found = readStateFile(file)?.trim();
  if (found === undefined) {
    const key = generateDashboardKey();
    return createStateFile(file, `${key}\n`) ? key : dashboardKey(stateDir);
  }
  if (KEY.test(found)) return found;
  throw new Error(`${file} does not hold a key any more: delete it to get a new one`);
}

/** For a server that cannot keep any. */
export function generateDashboardKey(): string {
  return randomBytes(KEY_BYTES).toString("base64url");
}
