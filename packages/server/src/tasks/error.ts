/** Why there is no result of a task, where that is not the task's own error. */

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

export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly code: TaskErrorCode;

  constructor(code: TaskErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
