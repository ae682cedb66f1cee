/** Looks whether Redis throws keys away by itself when its memory is full: members would vanish unannounced. */

import type { CommandConnection } from "./command-connection.ts";

const WANTED = "noeviction";

export class EvictionCheck {
  readonly #warn: (sentence: string) => void;
  #hasWarned = false;

  constructor(warn: (sentence: string) => void) {
    this.#warn = warn;
  }

  /** Warns once, whichever server it is. Does not warn where Redis does not answer. */
  async run(line: CommandConnection): Promise<void> {
    const info = await line.command("INFO", ["memory"]).catch(() => "");
    const [, policy = WANTED] = /^maxmemory_policy:(\S+)/m.exec(String(info)) ?? [];
    if (policy === WANTED || this.#hasWarned) return;
    this.#hasWarned = true;
    this.#warn(
      `Redis has maxmemory-policy ${policy}: when its memory is full it throws away who is where. Set it to ${WANTED}.`,
    );
  }
}
