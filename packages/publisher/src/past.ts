/** Which part of a channel's history is asked for, or forgotten, as the HTTP API says it. */

import type { Position } from "./answers.ts";

export interface HistoryOptions {
  /**
   * Only what came after this position. Where that is no longer kept, the page begins with the oldest event that is, and says so
   * (`isComplete`).
   */
  readonly since?: Position;
  /** The same, but a position of another epoch rejects with `epoch_gone`. */
  readonly after?: Position;
  /** Only what came before this position; one of another epoch rejects with `epoch_gone`. */
  readonly before?: Position;
  /** Only what was published then or later, in Unix milliseconds by the engine's clock. */
  readonly fromMs?: number;
  /** Only what was published before then, in Unix milliseconds. */
  readonly toMs?: number;
  /** Of all that fits, these. Default: the oldest with `since` or `after`, else the newest. A page is oldest first in either direction. */
  readonly direction?: "oldest" | "newest";
  /** The `next` of the page before, with the other options unchanged. It rejects with `epoch_gone` if the history was lost meanwhile. */
  readonly cursor?: string;
  /** 0 to 1000; 0 for the position alone. Default 100. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** Without a member, all of it is meant. */
export type PurgeRange =
  | { readonly before?: Position; readonly toMs?: never; readonly event?: never }
  | { readonly before?: never; readonly toMs?: number; readonly event?: never }
  | { readonly before?: never; readonly toMs?: never; readonly event?: Position };

type Query = Readonly<Record<string, string>>;

export function historyQuery(options: HistoryOptions): Query {
  const { since, after, before, fromMs, toMs, limit, cursor } = options;
  const { direction = (since ?? after) ? "oldest" : "newest" } = options;
  const bounds = { after: textOf(after), before: textOf(before) };
  if (cursor !== undefined) bounds[direction === "oldest" ? "after" : "before"] = cursor;
  return present({
    ...bounds,
    ...(bounds.after === undefined && { since_epoch: since?.epoch, since_offset: since?.offset }),
    from_ms: fromMs,
    to_ms: toMs,
    limit,
    direction: options.direction ?? (cursor === undefined ? undefined : direction),
  });
}

/** Below the channel's path. */
export function purgeOf({ before, toMs, event }: PurgeRange): { readonly path: string; readonly query: Query } {
  if (event) return { path: `/history/${event.offset}`, query: { epoch: event.epoch } };
  return { path: "/history", query: present({ before: textOf(before), to_ms: toMs }) };
}

/** What is undefined is not said. */
export function present(query: Readonly<Record<string, string | number | undefined>>): Query {
  return Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

function textOf(position: Position | undefined): string | undefined {
  return position && `${position.epoch}:${position.offset}`;
}
