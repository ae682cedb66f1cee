/** The key to the dashboard where nobody has an account: made when it is first needed, and kept for its owner alone. */

import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const BYTES = 32;
const KEY = /^[-\w]{43}$/;

export function dashboardKeyFile(stateDir: string): string {
  return join(stateDir, "dashboard-key");
}

/** Reads the key, or makes it. Throws what the file system throws, and where the file holds something else. */
export function dashboardKey(stateDir: string): string {
  const file = dashboardKeyFile(stateDir);
  return read(file) ?? make(stateDir, file);
}

/** For a server that cannot keep any. */
export function generateDashboardKey(): string {
  return randomBytes(BYTES).toString("base64url");
}

function read(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  if (KEY.test(text)) return text;
  throw new Error(`${file} does not hold a key any more: delete it to get a new one`);
}

/** Written aside and then linked, which fails where the file exists: of two processes, the slower takes the other's. */
function make(stateDir: string, file: string): string {
  const key = generateDashboardKey();
  const aside = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    writeFileSync(aside, `${key}\n`, { mode: 0o600, flag: "wx" });
    linkSync(aside, file);
    return key;
  } catch (error) {
    const other = codeOf(error) === "EEXIST" ? read(file) : undefined;
    if (other !== undefined) return other;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
