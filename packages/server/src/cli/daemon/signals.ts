/** What a running server is asked for by signals: to stop, to reload. */

import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";
import { onStopSignal } from "../../server/lifecycle/signals.ts";
import { onOrphaned } from "./parent-watch.ts";

export interface Signals {
  /** SIGHUP, unless the terminal is gone. */
  readonly onReload: () => void;
  /** It runs in the background: what started it may end. */
  readonly isDaemon?: boolean;
}

/** Resolves at the first SIGINT or SIGTERM, or when the terminal or what started this is gone; a second one ends it at once. */
export function stopRequested({ onReload, isDaemon = false }: Signals): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isStopping = false;
  const stop = () => {
    isStopping = true;
    resolve();
  };
  onStopSignal(stop);
  // SIGHUP says both "the terminal is gone" and "read your configuration". The first does not matter to what uses no terminal:
  // `nohup` sees to that. (That it has the signal ignored as well is lost, since Node sets every signal back at its start.)
  const usesTerminal = hasTerminal() && [0, 1, 2].some(isatty);
  process.on("SIGHUP", () => {
    if (usesTerminal && !hasTerminal()) stop();
    else if (!isStopping) onReload();
  });
  if (!isDaemon) onOrphaned(stop);
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
