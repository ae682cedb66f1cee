/** Work in threads, off the path that messages take: a few threads, made when they are needed, and a queue with an end. */

import { availableParallelism } from "node:os";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { Piscina } from "piscina";
import type { Job, Outcome, ThrownError } from "./runner.ts";

export interface TasksOptions {
  /** Most that run at once; "auto" is one for each processor. */
  readonly threads: number | "auto";
  /** Most that wait for a thread. */
  readonly queue: number;
  readonly timeoutS: number;
}

export interface TaskOptions {
  /** In place of the configured one; Infinity is without end. */
  readonly timeoutS?: number;
}

export type TaskErrorCode =
  /** As many tasks wait as may. Try later, or do without. */
  | "queue_full"
  /** It ran longer than it may; its thread was ended. */
  | "timeout"
  /** Its thread ended under it: the task ended the process, or threw where nobody could catch it (`cause`). */
  | "crashed"
  /** The server stops, and there was no time left. */
  | "stopped"
  /** What it was given or what it returned is no data. */
  | "not_data"
  /** The module or the function cannot be run in a thread. */
  | "not_a_task";

/** Why there is no result of a task, where that is not the task's own error. */
export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly code: TaskErrorCode;

  constructor(code: TaskErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** `typeof import("./resize.ts")`: a module whose default export is the task. */
export interface TaskModule {
  readonly default: (input: never) => unknown;
}

/** One whose type was not named. */
export interface AnyModule extends TaskModule {
  readonly default: (input: unknown) => unknown;
}

/** The input may be left out where the task takes none. */
export type Given<Input> = undefined extends Input
  ? [input?: Input, options?: TaskOptions]
  : [input: Input, options?: TaskOptions];

export type InputOf<M extends TaskModule> =
  Parameters<M["default"]> extends [] ? Given<undefined> : Given<Parameters<M["default"]>[0]>;

export type OutputOf<M extends TaskModule> = Awaited<ReturnType<M["default"]>>;

interface Waiting {
  readonly job: Job;
  readonly timeoutS: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const RUNNER = import.meta.resolve("#task-runner");
/** The longest a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;
/** A thread without work goes after this. */
const IDLE_MS = 30_000;

export class Tasks {
  readonly #options: TasksOptions;
  readonly #threads: number;
  readonly #waiting: Waiting[] = [];
  /** Those under way, each with what ends it. */
  readonly #running = new Map<Waiting, AbortController>();
  #pool: Promise<Piscina> | undefined;
  #isStopped = false;
  #idle: (() => void) | undefined;

  constructor(options: TasksOptions) {
    this.#options = options;
    this.#threads = options.threads === "auto" ? availableParallelism() : options.threads;
  }

  /** Resolves with a copy of what the task returned; rejects with what it threw, or with TaskError. */
  run(task: unknown, input: unknown, { timeoutS = this.#options.timeoutS }: TaskOptions = {}): Promise<unknown> {
    if (this.#isStopped) return Promise.reject(stopped());
    const job = jobOf(task, input);
    if (job instanceof TaskError) return Promise.reject(job);
    const { queue } = this.#options;
    if (this.#running.size >= this.#threads && this.#waiting.length >= queue) {
      const message = `${queue} tasks were waiting for one of ${this.#threads} threads (tasks.queue, tasks.threads).`;
      return Promise.reject(new TaskError("queue_full", message));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, timeoutS, resolve, reject });
      this.#next();
    });
  }

  /** After a stop. */
  start(): void {
    this.#isStopped = false;
  }

  /** Takes no more, waits that long for those it has, and refuses and ends what is left. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopped = true;
    await this.#untilIdle(withinMs);
    for (const { reject } of this.#waiting.splice(0)) reject(stopped());
    for (const [waiting, end] of this.#running) {
      waiting.reject(stopped());
      end.abort();
    }
    const pool = await this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  async #untilIdle(withinMs: number): Promise<void> {
    if (this.#running.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const timer = setTimeout(resolve, Math.max(0, withinMs));
    await promise;
    clearTimeout(timer);
    this.#idle = undefined;
  }

  #next(): void {
    if (this.#running.size >= this.#threads) return;
    const waiting = this.#waiting.shift();
    if (waiting) void this.#perform(waiting);
    else if (this.#running.size === 0) this.#idle?.();
  }

  /** Never rejects. */
  async #perform(waiting: Waiting): Promise<void> {
    const { job, timeoutS, resolve, reject } = waiting;
    const end = new AbortController();
    this.#running.set(waiting, end);
    let timer: Timer | undefined;
    try {
      this.#pool ??= makePool(this.#threads);
      const pool = await this.#pool;
      timer = setTimeout(() => end.abort(), Math.min(timeoutS * 1000, LONGEST_MS));
      resolve(unpacked(await pool.run(job, { signal: end.signal })));
    } catch (error) {
      reject(end.signal.aborted ? tooLong(timeoutS) : understood(error));
    } finally {
      clearTimeout(timer);
      this.#running.delete(waiting);
      this.#next();
    }
  }
}

/** Only now: a program without tasks does not even load it. */
async function makePool(maxThreads: number): Promise<Piscina> {
  const { Piscina: Pool } = await import("piscina");
  const pool = new Pool({ filename: RUNNER, minThreads: 0, maxThreads, idleTimeout: IDLE_MS, atomics: "disabled" });
  // A thread that dies between two tasks had none to reject; the next task gets another thread.
  pool.on("error", () => {});
  return pool;
}

function jobOf(task: unknown, input: unknown): Job | TaskError {
  if (typeof task === "function") return { source: Function.prototype.toString.call(task), input };
  if (task instanceof URL) return { module: task.href, input };
  if (typeof task === "string" && /^file:/.test(task)) return { module: task, input };
  if (typeof task === "string" && isAbsolute(task)) return { module: pathToFileURL(task).href, input };
  const message = "A task is a function or a module: new URL('./task.ts', import.meta.url), or an absolute path.";
  return new TaskError("not_a_task", message);
}

/** Throws what the task threw, as much like it as can be sent. */
function unpacked(outcome: Outcome): unknown {
  switch (outcome.type) {
    case "returned":
      return outcome.value;
    case "threw":
      throw new Rejection(outcome.error.isClosure ? closure(outcome.error) : likeness(outcome.error));
    case "threw-value":
      throw new Rejection(outcome.value);
    case "not-a-task":
      throw new Rejection(new TaskError("not_a_task", `${outcome.message}.`));
  }
}

/** Tells what is the task's from what is the pool's. */
class Rejection {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

function understood(error: unknown): unknown {
  if (error instanceof Rejection) return error.value;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === "DataCloneError") {
    const rule = "What a task is given and what it returns has to be data, without functions and the like";
    return new TaskError("not_data", `${rule}: ${message}`, { cause: error });
  }
  return new TaskError("crashed", `The task's thread ended under it: ${message}`, { cause: error });
}

const NATIVE = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function likeness({ name, message, stack, more }: ThrownError): Error {
  const Known = Object.entries(NATIVE).find(([known]) => known === name)?.[1] ?? Error;
  const error = new Known(message);
  const hidden = { configurable: true, writable: true, enumerable: false };
  if (error.name !== name) Object.defineProperty(error, "name", { ...hidden, value: name });
  if (stack !== undefined) Object.defineProperty(error, "stack", { ...hidden, value: stack });
  return Object.assign(error, more);
}

function closure(thrown: ThrownError): TaskError {
  const rule = "A function goes to its thread as text and knows nothing of what is around it there";
  const advice = "hand it in as input, import it inside, or make the function the default export of a module";
  return new TaskError("not_a_task", `${thrown.message}. ${rule}: ${advice}.`, { cause: likeness(thrown) });
}

function tooLong(timeoutS: number): TaskError {
  return new TaskError("timeout", `The task took longer than ${timeoutS} s, and its thread was ended.`);
}

function stopped(): TaskError {
  return new TaskError("stopped", "The server stops and takes no more tasks.");
}
