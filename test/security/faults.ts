/** A bug that the server catches is still a bug. What it would have logged as one is kept here, for tests to see. */

import type { Server } from "../../packages/server/src/index.ts";

/** Fills as the server reports faults. */
export function faultsOf(server: Server): string[] {
  const faults: string[] = [];
  server.log.error = (about: unknown, ...more: unknown[]) => {
    const { err } = (about ?? {}) as { err?: Error };
    faults.push(err?.stack ?? JSON.stringify([about, ...more]));
  };
  return faults;
}
