/** The events of a stream, as `@fanfare/publisher` makes them. */

export interface StreamEvent {
  readonly id: string;
  /** Counts from 0 without a gap. */
  readonly seq: number;
  readonly type: "start" | "delta" | "end" | "error" | "aborted";
  readonly text?: string;
  readonly parts?: readonly unknown[];
}

/** Their name, unless the publisher was told another. */
export const EVENT = "stream";
