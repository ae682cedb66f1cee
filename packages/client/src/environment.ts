/** What the client needs of the world around it: clock, timers, chance and the page's events. Tests pass their own. */

/** `show`: the page is visible again; `suspend` and `restore`: it goes into the back/forward cache, and comes back. */
export type PageEvent = "online" | "offline" | "show" | "suspend" | "restore";
export type Cancel = () => void;

export interface Environment {
  /** Milliseconds since 1970. It goes on while the machine sleeps, so that a timer that is late shows a sleep. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  setTimer(run: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  isHidden(): boolean;
  watch(on: (event: PageEvent) => void): Cancel;
}

/** Timers of more milliseconds fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Runs it once after that time, however long it is. */
export function after(environment: Environment, ms: number, run: () => void): Cancel {
  let timer: unknown;
  const wait = (leftMs: number) => {
    const stepMs = Math.max(0, Math.min(leftMs, LONGEST_MS));
    timer = environment.setTimer(() => (leftMs > stepMs ? wait(leftMs - stepMs) : run()), stepMs);
  };
  wait(ms);
  return () => environment.clearTimer(timer);
}

export const realEnvironment: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimer: (run, ms) => setTimeout(run, ms),
  clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  isHidden: () => globalThis.document?.visibilityState === "hidden",
  watch: watchPage,
};

function watchPage(on: (event: PageEvent) => void): Cancel {
  const page = globalThis.document as Document | undefined;
  const ends: Cancel[] = [];
  const listen = (target: EventTarget | undefined, type: string, handler: (event: Event) => void) => {
    // React Native has a global without events.
    target?.addEventListener?.(type, handler);
    ends.push(() => target?.removeEventListener?.(type, handler));
  };
  listen(globalThis, "online", () => on("online"));
  listen(globalThis, "offline", () => on("offline"));
  listen(globalThis, "pagehide", (event) => {
    if ((event as PageTransitionEvent).persisted) on("suspend");
  });
  listen(globalThis, "pageshow", (event) => {
    if ((event as PageTransitionEvent).persisted) on("restore");
  });
  listen(page, "resume", () => on("show"));
  listen(page, "visibilitychange", () => {
    if (page?.visibilityState === "visible") on("show");
  });
  return () => {
    for (const end of ends) end();
  };
}
