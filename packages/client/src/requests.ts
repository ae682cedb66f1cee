/** Commands that wait for their answer on one connection. */

import { after, type Cancel, type Environment } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import { errorOf, type Frame, protocolName } from "./frames.ts";

/** Called once, in the turn in which the answer came: what follows it on the connection is handled after it. */
export type Answered = (error: FanfareError | undefined, frame: Frame) => void;

interface Request {
  /** The name of its answer. A pushed object may carry any `id`. */
  readonly answer: string;
  readonly done: Answered;
  readonly cancel: Cancel | undefined;
}

const NO_FRAME: Frame = {};

export class Requests {
  readonly #environment: Environment;
  readonly #open = new Map<number, Request>();
  #last = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Returns the id that the command has to carry. Without a time it is answered or the connection ends. */
  add(answer: string, done: Answered, timeoutMs?: number): number {
    const id = ++this.#last;
    const late = () => {
      this.#open.delete(id);
      const message = `There was no answer within ${timeoutMs} ms.`;
      done(new FanfareError("timeout", message, { retryable: true, maybeExecuted: true }), NO_FRAME);
    };
    const cancel = timeoutMs === undefined ? undefined : after(this.#environment, timeoutMs, late);
    this.#open.set(id, { answer, done, cancel });
    return id;
  }

  /** Whether it was an answer that somebody waited for. */
  settle(frame: Frame): boolean {
    const request = typeof frame.id === "number" ? this.#open.get(frame.id) : undefined;
    const name = protocolName(frame);
    if (!request || (name !== request.answer && name !== "error")) return false;
    this.#open.delete(frame.id as number);
    request.cancel?.();
    request.done(name === "error" ? errorOf(frame) : undefined, frame);
    return true;
  }

  /** The connection is gone: whether they were executed is unknown. */
  rejectAll(error: FanfareError): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { cancel, done } of open) {
      cancel?.();
      done(error, NO_FRAME);
    }
  }
}
