/** Whoever needs a channel: a listener, an iterator, a message under way. */

import { guarded } from "./listeners.ts";
import type { Rewind } from "./rewind.ts";
import type { ChannelEvent, Gap, Position } from "./types.ts";

export interface Holder {
  /** What came before is to be delivered first: after a position, or all that is kept. Until it has been. */
  since?: Position | undefined;
  rewind?: boolean | Rewind | undefined;
  /** The same, for when a recovery fails. */
  readonly again?: boolean | Rewind | undefined;
  readonly deliver?: (event: ChannelEvent) => void;
  /** In place of the channel's own listeners. */
  readonly gap?: (gap: Gap) => void;
  /** What came while the past is read. */
  backlog?: ChannelEvent[] | undefined;
}

/** To everybody who holds it now; those who leave meanwhile get it no more. */
export function deliverTo(holders: ReadonlySet<Holder>, event: ChannelEvent): void {
  for (const holder of [...holders]) {
    if (!holders.has(holder)) continue;
    if (holder.backlog) holder.backlog.push(event);
    else guarded(() => holder.deliver?.(event));
  }
}

/** It has what it wanted of the past: what came meanwhile follows. */
export function endPast(holder: Holder): void {
  const { backlog = [] } = holder;
  holder.since = undefined;
  holder.rewind = undefined;
  holder.backlog = undefined;
  for (const event of backlog) guarded(() => holder.deliver?.(event));
}
