/** Commands on their way to the server: numbered, so that a batch whose answer was lost is sent again without being executed twice. */

import { pause } from "./pause.ts";

/** The server takes that much of what comes too early. */
const MOST_FRAMES = 64;
const MOST_CHARACTERS = 16_384;
const LONGEST_PAUSE_MS = 2_000;

export class Outbox {
  /** `seq` is the number of the first line, counted from 1. Rejects without an answer. */
  readonly #post: (seq: number, lines: string) => Promise<Response>;
  readonly #signal: AbortSignal;
  readonly #fail: (reason: string) => void;
  #waiting: string[] = [];
  /** Of the first that waits. */
  #seq = 1;
  #isSending = false;

  constructor(
    post: (seq: number, lines: string) => Promise<Response>,
    signal: AbortSignal,
    fail: (reason: string) => void,
  ) {
    this.#post = post;
    this.#signal = signal;
    this.#fail = fail;
  }

  add(frame: string): void {
    this.#waiting.push(frame);
    if (!this.#isSending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    // What is sent in one turn goes together.
    await null;
    for (let failures = 0; this.#waiting.length > 0 && !this.#signal.aborted; ) {
      const sent = this.#next();
      const taken = await this.#post(this.#seq, sent.join("\n")).then(
        (response) => this.#taken(response, sent.length),
        () => 0,
      );
      if (this.#signal.aborted) return;
      if (taken < 0) return this.#fail("The server does not take what is sent.");
      this.#waiting.splice(0, taken);
      this.#seq += taken;
      failures = taken > 0 ? 0 : failures + 1;
      if (failures > 0) await pause(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** failures), this.#signal);
    }
    this.#isSending = false;
  }

  #next(): readonly string[] {
    let characters = 0;
    const fits = (frame: string, at: number) => {
      characters += frame.length;
      return at === 0 || (at < MOST_FRAMES && characters <= MOST_CHARACTERS);
    };
    const end = this.#waiting.findIndex((frame, at) => !fits(frame, at));
    return end < 0 ? [...this.#waiting] : this.#waiting.slice(0, end);
  }

  /** How many of them the server has; 0 if it may take them the next time, -1 if never. */
  async #taken(response: Response, sent: number): Promise<number> {
    if (response.ok) return sent;
    if (response.status === 409) {
      // An earlier try came through in part.
      const { expected } = await response.json();
      const known = expected - this.#seq;
      return known >= 0 && known <= sent ? known : -1;
    }
    return response.status === 429 || response.status >= 500 ? 0 : -1;
  }
}
