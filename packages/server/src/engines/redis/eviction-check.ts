/** Looks whether Redis throws keys away by itself when its memory is full: members would vanish, and nobody would be told. */

import type { CommandConnection } from "./command-connection.ts";

const WANTED = "noeviction";

export class EvictionCheck {
  readonly #warn: (sentence: string) => void;
  #isTold = false;

  constructor(warn: (sentence: string) => void) {
    this.#warn = warn;
  }

  /** Warns once, whichever server it is. Says nothing where Redis does not tell. */
  async run(line: CommandConnection): Promise<void> {
    const info = await line.command("INFO", ["memory"]).catch(() => "");
    const [, policy = WANTED] = /^maxmemory_policy:(\S+)/m.exec(String(info)) ?? [];
    if (policy === WANTED || this.#isTold) return;
    this.#isTold = true;
    this.#warn(
      `Redis has maxmemory-policy ${policy}: when its memory is full it throws away who is where. Set it to ${WANTED}.`,
    );
  }
}
