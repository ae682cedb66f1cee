/** A channel's history as one would explain it: a list of all that was published, and what became of each. */

import type { HistoryPage, HistoryQuery, Position, PurgeRange } from "../src/engine.ts";

interface Published {
  readonly data: string;
  readonly offset: number;
  /** As the engine said. */
  atMs: number;
  fate: "kept" | "erased" | "gone";
}

export class HistoryModel {
  readonly #size: number;
  readonly #log: Published[] = [];
  epoch = "";

  constructor(size: number) {
    this.#size = size;
  }

  get newest(): number {
    return this.#log.length;
  }

  position(offset: number): Position {
    return { epoch: this.epoch, offset };
  }

  /** Of an event that was read. */
  timeOf(offset: number): number | undefined {
    return this.#log[offset - 1]?.atMs;
  }

  publish(data: string): void {
    this.#log.push({ data, offset: this.newest + 1, atMs: Number.NaN, fate: "kept" });
    const tooOld = this.#log[this.newest - this.#size - 1];
    if (tooOld && tooOld.fate === "kept") tooOld.fate = "gone";
  }

  /** Takes over the times that the engine gave. */
  learn({ events }: HistoryPage): void {
    for (const { publication } of events) {
      const known = this.#log[(publication.position?.offset ?? 0) - 1];
      if (known) known.atMs = publication.atMs ?? Number.NaN;
    }
  }

  /** How many are forgotten by it. */
  purge(range: PurgeRange): number {
    const fits = (event: Published) => {
      if (range.type === "all") return true;
      if (range.type === "older") return event.atMs < range.toMs;
      return range.type === "event" ? event.offset === range.position.offset : event.offset < range.position.offset;
    };
    const found = this.#log.filter(fits);
    const kept = found.filter(({ fate }) => fate === "kept");
    for (const event of found) {
      if (range.type !== "event") event.fate = "gone";
      else if (event.fate === "kept") event.fate = "erased";
    }
    return kept.length;
  }

  /** What is kept of what the query is about. */
  matching(query: HistoryQuery): readonly string[] {
    return this.#within(query).flatMap(({ data, fate }) => (fate === "kept" ? data : []));
  }

  /** What the page would have, had nothing been forgotten but what was erased. */
  truth(query: HistoryQuery, page: HistoryPage): readonly string[] {
    const offsets = page.events.flatMap(({ publication }) => publication.position?.offset ?? []);
    const [first = 0, last = 0] = [offsets.at(0), offsets.at(-1)];
    const isInPage = ({ offset }: Published) =>
      !page.hasMore || (query.direction === "oldest" ? offset <= last : offset >= first);
    return this.#within(query).flatMap((event) => (event.fate !== "erased" && isInPage(event) ? event.data : []));
  }

  /** Whether `after` lies where everything since is kept, so that the engine has to say so. */
  isCovered({ after }: HistoryQuery): boolean {
    return this.#log.slice(after?.offset ?? 0).every(({ fate }) => fate !== "gone");
  }

  #within({ after, before, fromMs, toMs }: HistoryQuery): readonly Published[] {
    return this.#log.filter(
      ({ offset, atMs }) =>
        offset > (after?.offset ?? 0) &&
        offset < (before?.offset ?? Number.POSITIVE_INFINITY) &&
        (fromMs === undefined || atMs >= fromMs) &&
        (toMs === undefined || atMs < toMs),
    );
  }
}
