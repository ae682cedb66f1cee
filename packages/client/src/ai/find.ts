/** Looks for a stream in what its channel keeps. */

import type { FanfareError } from "../errors.ts";
import type { Channel, Position } from "../types.ts";
import type { StreamEvent } from "./event.ts";

export interface Found {
  readonly id: string | undefined;
  /** Its last event says so. */
  readonly hasEnded: boolean;
  /** The position before its first event, or the channel's if there is none yet. Nothing where no history is kept. */
  readonly since?: Position;
}

/** The stream of that id; without one, the newest. Pages back to its beginning, however long it is. */
export async function findStream(
  channel: Channel,
  event: string,
  signal: AbortSignal | undefined,
  id?: string,
): Promise<Found> {
  let found: Found = { id, hasEnded: false };
  let before: Position | undefined;
  try {
    for (;;) {
      const page = await channel.history({ ...(before && { before }), ...(signal && { signal }) });
      const all = page.events.filter((it) => it.event === event);
      const wanted = found.id ?? (all.at(-1)?.data as StreamEvent | undefined)?.id;
      const parts = all.filter(({ data }) => (data as StreamEvent).id === wanted);
      const [first, last] = [parts[0], parts.at(-1)].map((it) => it?.data as StreamEvent | undefined);
      const position = parts[0]?.meta.position;
      found = {
        id: wanted,
        hasEnded: found.hasEnded || (last !== undefined && last.type !== "start" && last.type !== "delta"),
        since: position ? { ...position, offset: position.offset - 1 } : (found.since ?? page.position),
      };
      before = page.events[0]?.meta.position;
      if (first?.seq === 0 || !before || !page.complete || before.offset <= 1) return found;
    }
  } catch (error) {
    if ((error as FanfareError).code === "no_history") return found;
    throw error;
  }
}
