/** Gives the system back what only the start of a process needed: most of the code that has run by then never runs again. */

/** How often it is looked whether the process is at rest. */
const EVERY_MS = 1_000;
/** With less CPU time than that since the last look, nothing waits for it. */
const REST_CPU_US = 50_000;
/** After that, what runs is what is needed. */
const UNTIL_MS = 60_000;

export interface Machine {
  /** CPU time of the process so far, in microseconds. */
  cpuUs(): number;
  /** Drops compiled code, which is compiled again where it is called again, and collects garbage: some 20 ms. */
  shrink(): void;
  /** Runs it after a second, without keeping the process alive for it. */
  later(run: () => void): void;
}

const here: Machine = {
  cpuUs() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  shrink: () => Bun.shrink(),
  later: (run) => void setTimeout(run, EVERY_MS).unref(),
};

/** Once, and only when the process has come to rest within its first minute: 5 MB of an idle server's 28. */
export function releaseStartupMemory(machine: Machine = here): void {
  let lastUs = machine.cpuUs();
  let leftMs = UNTIL_MS;
  const look = () => {
    const nowUs = machine.cpuUs();
    if (nowUs - lastUs < REST_CPU_US) return machine.shrink();
    lastUs = nowUs;
    leftMs -= EVERY_MS;
    if (leftMs > 0) machine.later(look);
  };
  machine.later(look);
}
