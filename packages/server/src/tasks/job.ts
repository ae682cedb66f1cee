/** What crosses from the server to a thread and back: a job, and its outcome. Only data can. */

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
