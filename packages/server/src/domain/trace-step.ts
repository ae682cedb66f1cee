/** What those who are traced need to know of tracing: a step that begins and ends. Nothing of it is loaded with this file. */

/** A W3C trace context, as it travels: `00-TRACE-SPAN-FLAGS`. */
export type TraceParent = string;

export interface TraceStep {
  /** For whoever does a part of it somewhere else. */
  readonly parent: TraceParent;
  /** With what went wrong, if something did. */
  end(error?: unknown): void;
}
