/** SIGINT and SIGTERM, for a process that has something to finish before it ends. */

/** One Ctrl+C arrives several times: from the terminal, from npm and from the launcher, each passing it on. */
const ECHO_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export type StopSignal = (typeof SIGNALS)[number];

/** Calls back at the first one; a later one ends the process at once. Undone by what it returns. */
export function onStopSignal(stop: (signal: StopSignal) => void): () => void {
  let firstMs: number | undefined;
  const listener = (signal: StopSignal) => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      stop(signal);
    } else if (performance.now() - firstMs > ECHO_MS) {
      process.exit(130);
    }
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
}

export interface Stoppable {
  stop(): Promise<void>;
}

/** The running servers of this process, which a signal stops. */
const servers = new Set<Stoppable>();
let undo: (() => void) | undefined;

/** Until what it returns is called. */
export function stopOnSignal(server: Stoppable): () => void {
  servers.add(server);
  undo ??= onStopSignal((signal) => void stopAll(signal));
  return () => {
    servers.delete(server);
    if (servers.size > 0) return;
    undo?.();
    undo = undefined;
  };
}

/** Ends the process as the signal would have, unless the program listens to it as well: then that is the program's to do. */
async function stopAll(signal: StopSignal): Promise<void> {
  const isOwnAffair = process.listenerCount(signal) === 1;
  await Promise.allSettled([...servers].map((server) => server.stop()));
  if (isOwnAffair) process.kill(process.pid, signal);
}
