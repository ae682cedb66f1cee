/** A Unix socket in place of a port. */

import { chmodSync, lstatSync, rmSync } from "node:fs";
import { isUnixSocketPath } from "../../config/schema/fields.ts";

/** Removes the socket of a process that died, which would be in the way of the next one. Where a process listens, it stays. */
export async function removeStaleSocket(host: string): Promise<void> {
  if (!isUnixSocketPath(host) || !lstatSync(host, { throwIfNoEntry: false })?.isSocket()) return;
  if (!(await isListening(host))) rmSync(host, { force: true });
}

async function isListening(unix: string): Promise<boolean> {
  try {
    (await Bun.connect({ unix, socket: { data() {} } })).end();
    return true;
  } catch (error) {
    // Without the permission to connect, it counts as taken.
    return error instanceof Error && "code" in error && error.code !== "ECONNREFUSED" && error.code !== "ENOENT";
  }
}

/** As for a port: any user of this machine may connect, unless the folder keeps him out. */
export function allowEveryUser(host: string): void {
  chmodSync(host, 0o666);
}
