/** What the compiler knows of a task: the types of its input and its output. */

import type { TaskOptions } from "./tasks.ts";

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
