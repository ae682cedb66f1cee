/**
 * What happened on this node lately, for a console that is opened afterwards. So much a second of each kind is kept, however much
 * there is, so that it costs nothing to speak of under load: refusals and errors have a share of their own.
 */

import { type FeedEntry, type FeedFilter, namesFit, textFits } from "../../admin/api-types.ts";
import type { FeedSource } from "./feed-event.ts";

/** About 2 KB each at the most. */
const KEPT = 1_000;
/** One console is given so many of each node. */
const MOST_AT_ONCE = 200;

type Share = "messages" | "troubles" | "others";

const A_SECOND: Readonly<Record<Share, number>> = { messages: 20, troubles: 50, others: 50 };

export class RecentEntries {
  /** A ring: `#next` is where the oldest is. */
  readonly #entries: FeedEntry[] = [];
  #next = 0;
  #left = { ...A_SECOND };

  /** Whether one of that kind is kept now. To be asked before anything is made of it. */
  takes({ type }: Pick<FeedSource, "type">): boolean {
    return this.#left[shareOf(type)] > 0;
  }

  add({ type }: FeedSource, kept: FeedEntry): void {
    this.#left[shareOf(type)]--;
    if (this.#entries.length < KEPT) this.#entries.push(kept);
    else {
      this.#entries[this.#next] = kept;
      this.#next = (this.#next + 1) % KEPT;
    }
  }

  /** To be called once a second. */
  tick(): void {
    this.#left = { ...A_SECOND };
  }

  /** The newest that pass, oldest first. */
  matching(filter: FeedFilter): readonly FeedEntry[] {
    return this.find((entry) => namesFit(filter, entry) && textFits(filter, entry)).slice(-MOST_AT_ONCE);
  }

  /** All that fit, oldest first. */
  find(fits: (entry: FeedEntry) => boolean): readonly FeedEntry[] {
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)].filter(fits);
  }
}

function shareOf(type: FeedSource["type"]): Share {
  switch (type) {
    case "published":
      return "messages";
    case "refused":
    case "api-refused":
    case "rejected":
    case "failed":
    case "gap":
    case "webhook":
      return "troubles";
    default:
      return "others";
  }
}
