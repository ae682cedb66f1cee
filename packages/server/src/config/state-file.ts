/** Files in `stateDir` that hold a secret, such as the key to the dashboard: made once, by whichever process is first, and readable by their owner only. */

import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOf } from "../domain/thrown.ts";

/** Undefined when there is no such file. Throws what the file system throws. */
export function readStateFile(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Says whether this process made it. Written aside and then linked, which fails where the file exists. */
export function createStateFile(file: string, text: string): boolean {
  const aside = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(aside, text, { mode: 0o600, flag: "wx" });
    linkOrWrite(aside, file, text);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Some file systems have no links; there the file is written in place, where only one process can be first as well. */
function linkOrWrite(aside: string, file: string, text: string): void {
  try {
    linkSync(aside, file);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(error))) throw error;
    writeFileSync(file, text, { mode: 0o600, flag: "wx" });
  }
}

const KEY_BYTES = 32;
const KEY = /^[-\w]{43}$/;

export function dashboardKeyFile(stateDir: string): string {
  return join(stateDir, "dashboard-key");
}

/** Reads the key to the dashboard, or makes it. Throws what the file system throws, and where the file holds something else. */
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
