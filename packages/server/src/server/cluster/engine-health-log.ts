/** Says in the log when what carries the server cannot be reached, and when it can again. */

import type { Logger } from "pino";
import type { EngineHealth } from "../../domain/ports.ts";

/** Looks at a server that has just started, in which nothing is amiss yet: a machine with much to do may take that long to connect. */
const FIRST_LOOKS = 3;

export class EngineHealthLog {
  readonly #log: Logger;
  #isAway = false;
  #looks = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Call it at the start, and every second or so. One line for each change. */
  check(health: EngineHealth): void {
    this.#looks = health.reachable ? FIRST_LOOKS : this.#looks + 1;
    if (this.#isAway === !health.reachable || this.#looks < FIRST_LOOKS) return;
    this.#isAway = !health.reachable;
    if (!health.reachable && health.refusal !== undefined)
      this.#log.error(
        { why: health.why, refusal: health.refusal },
        "the engine refuses what it is asked: publications wait, and are refused after `publishWaitS`",
      );
    else if (health.reachable) this.#log.info("the engine can be reached again");
    else
      this.#log.error(
        { why: health.why },
        "the engine cannot be reached: publications wait, and are refused after `publishWaitS`",
      );
  }
}
