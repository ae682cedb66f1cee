/**
 * Faults that come by the thousand, when an engine goes away for example: the first of a kind is reported at once, and those like it that
 * follow as one number every few seconds.
 */

import { FileError } from "../database/file-error.ts";

const PAUSE_MS = 5_000;
/** Of what lasts until somebody mends it. */
const LASTING_PAUSE_MS = 600_000;
/** Kinds in mind at a time. Past that the one that was begun first is ended before its time. */
const MOST_KINDS = 100;
/** Of a stack that say where a bug is. */
const FRAMES = 3;

export interface Fault {
  readonly error: unknown;
  readonly during: string;
}

/** Reports a fault; `leftOut` is how many like it were left out since the last report, this one not counted. */
type Report<F> = (fault: F, leftOut: number) => void;

interface Kind<F> {
  readonly timer: ReturnType<typeof setTimeout>;
  last: F | undefined;
  leftOut: number;
}

export class ErrorDeduplicator<F extends Fault> {
  readonly #report: Report<F>;
  readonly #pauseMs: number;
  readonly #lastingPauseMs: number;
  readonly #kinds = new Map<string, Kind<F>>();
  /** What was left out is reported even where the process ends before its time. */
  readonly #atExit = () => this.flush();

  constructor(report: Report<F>, pauseMs = PAUSE_MS, lastingPauseMs = LASTING_PAUSE_MS) {
    this.#report = report;
    this.#pauseMs = pauseMs;
    this.#lastingPauseMs = lastingPauseMs;
  }

  /** How many kinds it has in mind. */
  get size(): number {
    return this.#kinds.size;
  }

  report(fault: F): void {
    const name = keyOf(fault);
    const known = this.#kinds.get(name);
    if (known) {
      if (known.last) known.leftOut++;
      known.last = fault;
      return;
    }
    const [oldest] = this.#kinds.keys();
    if (oldest !== undefined && this.#kinds.size >= MOST_KINDS) this.#end(oldest);
    this.#begin(name, fault);
    this.#report(fault, 0);
  }

  /** Reports now what was left out. */
  flush(): void {
    for (const name of this.#kinds.keys()) this.#end(name);
  }

  #begin(name: string, { error }: F): void {
    if (this.#kinds.size === 0) process.once("exit", this.#atExit);
    const pauseMs = error instanceof FileError ? this.#lastingPauseMs : this.#pauseMs;
    const timer = setTimeout(() => this.#turn(name), pauseMs);
    timer.unref?.();
    this.#kinds.set(name, { timer, last: undefined, leftOut: 0 });
  }

  /** The pause is over: another begins where there was something left out. */
  #turn(name: string): void {
    const { last, leftOut = 0 } = this.#end(name, false) ?? {};
    if (!last) return;
    this.#begin(name, last);
    this.#report(last, leftOut);
  }

  #end(name: string, isReported = true): Kind<F> | undefined {
    const kind = this.#kinds.get(name);
    if (!kind) return undefined;
    clearTimeout(kind.timer);
    this.#kinds.delete(name);
    if (this.#kinds.size === 0) process.off("exit", this.#atExit);
    if (isReported && kind.last) this.#report(kind.last, kind.leftOut);
    return kind;
  }
}

/**
 * Where and what, without the ids that messages have in them: by its code, or as a bug by the place it was thrown at. A file
 * that cannot be written is one trouble, wherever it shows.
 */
function keyOf({ error, during }: Fault): string {
  if (error instanceof FileError) return `${error.name} ${error.file}`;
  if (!(error instanceof Error)) return `${during} ${typeof error}`;
  const code = "code" in error && (typeof error.code === "string" || typeof error.code === "number") ? error.code : "";
  return `${during} ${error.name} ${code} ${code === "" ? thrownAt(error) : ""}`;
}

/** The first of them may be the language's own. */
function thrownAt({ stack = "" }: Error): string {
  return (stack.match(/^\s+at .*$/gm) ?? []).slice(0, FRAMES).join();
}
