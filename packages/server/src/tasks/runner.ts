/** Runs in each thread: finds the task's function, calls it, and packs what comes of it. A job and its outcome are only data. */

export interface Job {
  /** A module's address, or a function's own text. */
  readonly module?: string;
  readonly source?: string;
  readonly input: unknown;
}

export type Outcome =
  | { readonly type: "returned"; readonly value: unknown }
  | { readonly type: "threw"; readonly error: ThrownError }
  /** Something that is no error. */
  | { readonly type: "threw-value"; readonly value: unknown }
  | { readonly type: "not-a-task"; readonly message: string };

export interface ThrownError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** What else it had on it, such as a `code`, as far as it is data. */
  readonly more: Readonly<Record<string, unknown>>;
  /** Names that the function did not find around it. */
  readonly isClosure: boolean;
}

type Task = (input: unknown) => unknown;

/** Called by the pool, once per job. */
export default async function run(job: Job): Promise<Outcome> {
  let task: Task | string;
  try {
    task = await taskOf(job);
  } catch (error) {
    if (!(error instanceof Error) || !NOT_LOADED.includes(error.name)) return threw(error, false);
    return { type: "not-a-task", message: `${job.module} cannot be loaded: ${error.message}` };
  }
  if (typeof task === "string") return { type: "not-a-task", message: task };
  try {
    return { type: "returned", value: await task(job.input) };
  } catch (error) {
    return threw(error, job.source !== undefined);
  }
}

/** What Bun throws for a module that is missing, imports what is missing, or does not parse. */
const NOT_LOADED: readonly string[] = ["ResolveMessage", "BuildMessage", "AggregateError"];

/** A sentence where there is none. */
async function taskOf({ module, source }: Job): Promise<Task | string> {
  if (module === undefined) return compiled(source ?? "");
  const { default: task }: { default?: unknown } = await import(module);
  return isTask(task) ? task : `${module} has no function as its default export`;
}

function compiled(source: string): Task | string {
  // A method in short form is no expression, but what stands in an object is.
  for (const text of [`(${source})`, `Object.values({${source}})[0]`]) {
    try {
      // Sees the thread's globals and nothing of this module.
      const task: unknown = new Function(`return ${text}`)();
      if (isTask(task)) return task;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return "The function cannot be sent to a thread by its text: it is built in, bound, or a class";
}

function isTask(value: unknown): value is Task {
  return typeof value === "function" && !/^class\b/.test(Function.prototype.toString.call(value));
}

function threw(error: unknown, isByText: boolean): Outcome {
  if (!(error instanceof Error)) return { type: "threw-value", value: error };
  const { name, message, stack } = error;
  const isClosure = isByText && error instanceof ReferenceError;
  return { type: "threw", error: { name, message, stack, more: dataOf(error), isClosure } satisfies ThrownError };
}

const SAID: readonly string[] = ["name", "message", "stack"];

/** An error must arrive even if what it carries cannot. */
function dataOf(error: Error): Record<string, unknown> {
  const more: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(error)) {
    if (SAID.includes(key)) continue;
    try {
      more[key] = structuredClone(value);
    } catch {
      // A socket or a function, of no use in another thread.
    }
  }
  return more;
}
