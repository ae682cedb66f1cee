/** What a running server is told by signals: to stop, to reload. */

import { closeSync, openSync, readFileSync } from "node:fs";

export interface Signals {
  /** SIGHUP, unless the terminal is gone. */
  readonly onReload: () => void;
}

/** One Ctrl+C arrives several times: from the terminal, from npm and from the launcher, each passing it on. */
const ECHO_MS = 500;

/** Resolves at the first SIGINT or SIGTERM, or when the terminal is gone; a second one ends the process at once. */
export function signalled({ onReload }: Signals): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let firstMs: number | undefined;
  const stop = () => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      resolve();
    } else if (performance.now() - firstMs > ECHO_MS) {
      process.exit(130);
    }
  };
  // SIGHUP says both "the terminal is gone" and "read your configuration"; `nohup` says that the first does not matter.
  const livesByTerminal = hasTerminal() && !ignoresHangUp();
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", () => {
    if (livesByTerminal && !hasTerminal()) stop();
    else if (firstMs === undefined) onReload();
  });
  return promise;
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Whoever started this process had the signal ignored. */
function ignoresHangUp(): boolean {
  try {
    const mask = /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    return (BigInt(`0x${mask}`) & 1n) === 1n;
  } catch {
    return false;
  }
}
