/** Makes Redis have what this node has: writes all of it again where it was lost, and puts right what got no answer. */

import type { Clock, PresenceEntry, RegistryChange } from "../../domain/ports.ts";
import { GONE, type RegistryScripts, type Writer } from "./registry-scripts.ts";
import type { Shard } from "./shard.ts";

/** Entries and counts that are on their way at a time. */
const BATCH_SIZE = 500;
/** By then, every node has noticed that data was lost, and written its own again. */
export const SETTLED_AFTER_MS = 3_000;

export interface ReconcilerOptions {
  readonly clock: Clock;
  readonly scripts: RegistryScripts;
  report(changes: readonly RegistryChange[]): void;
  failed(error: unknown, during: string): void;
  /** Data of this shard was lost: it is not known what else was. */
  lost(shard: Shard): void;
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #departures = new Set<ReturnType<typeof setTimeout>>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** All that the node has in the shard. Users that are new there are reported, and announced unless it is quiet. */
  async writeAgain(shard: Shard, writer: Writer, mode: "announce" | "announce again" | "quiet"): Promise<void> {
    const { scripts, report } = this.#options;
    const { state } = shard;
    state.clearDoubts();
    state.pendingCounts.clear();
    // Before the members: observers hear that a channel is occupied before they hear who is in it.
    const counted: RegistryChange[] = [];
    await inBatches([...state.counts.keys()], async (key) => {
      const subscribers = state.counts.get(key);
      if (!subscribers) return;
      const { app, channel } = subscribers;
      const change = await scripts.setSubscriberCount(writer, subscribers);
      if (mode === "announce" && change === "occupied") report([{ type: change, app, channel }]);
      // Also when quiet: while some had not written again, a node may have reported too few.
      else if (change === "occupied" || change === "counted") counted.push({ type: "counted", app, channel });
    });
    report(counted);
    // Each is looked up when its turn comes: it may have left meanwhile.
    await inBatches([...state.entries.keys()], async (key) => {
      const entry = state.entries.get(key);
      if (!entry) return;
      const joined = await scripts.join(
        writer,
        entry,
        Number.POSITIVE_INFINITY,
        mode === "quiet" ? "quiet" : "announce",
      );
      if (mode === "announce" && typeof joined === "object" && joined.isFirst) report([{ type: "joined", ...entry }]);
    });
    await inBatches([...state.holds.keys()], async (key) => {
      const hold = state.holds.get(key);
      if (hold) await scripts.acquire(writer, hold, Number.POSITIVE_INFINITY);
    });
  }

  /** `isLate`: other nodes may have announced by now that this node's users are gone, so it announces them again. */
  async afterLoss(shard: Shard, writer: Writer, isLate: boolean): Promise<void> {
    const { state } = shard;
    state.unsureUntilMs = this.#options.clock.monotonicMs() + SETTLED_AFTER_MS;
    // Their departure was not announced, and nothing is left that would say it.
    const departed = [...state.doubtfulEntries].filter(([key, { wasThere }]) => wasThere && !state.entries.has(key));
    await this.writeAgain(shard, writer, isLate ? "announce again" : "quiet");
    this.#options.lost(shard);
    for (const [, { entry }] of departed) this.announceDepartureLater(shard, entry);
  }

  /** Whether data was lost just now, and a user may be somewhere although Redis does not know it yet. */
  isUnsure({ state }: Shard): boolean {
    return state.unsureUntilMs > this.#options.clock.monotonicMs();
  }

  /** Announces that the user is gone when all nodes have written again what they have, unless it is with one of them. */
  announceDepartureLater({ commands }: Shard, entry: PresenceEntry): void {
    const { scripts, report, failed } = this.#options;
    const timer = setTimeout(() => {
      this.#departures.delete(timer);
      const announced = scripts.announceDeparture((script, args) => commands.run(script, args), entry);
      announced.then(
        (isGone) => isGone && report([leftChange(entry)]),
        (error) => failed(error, "announcing who left while Redis was away"),
      );
    }, SETTLED_AFTER_MS);
    this.#departures.add(timer);
  }

  /** What got no answer is made what it should be; and counts that changed since the last heartbeat are written. */
  async settleDoubts(shard: Shard, writer: Writer): Promise<void> {
    const { scripts, report } = this.#options;
    const { entries, counts, holds, doubtfulEntries, doubtfulCounts, doubtfulHolds } = shard.state;
    await inBatches([...doubtfulEntries], async ([key, { entry, wasThere }]) => {
      const isHere = entries.has(key);
      const isLast = isHere ? false : await scripts.leave(writer, entry, "own");
      if (isHere) await scripts.join(writer, entry, Number.POSITIVE_INFINITY, "announce");
      doubtfulEntries.delete(key);
      if (isLast === true && wasThere) report([leftChange(entry)]);
    });
    await inBatches([...doubtfulCounts], async ([key, { app, channel }]) => {
      const change = await scripts.setSubscriberCount(writer, counts.get(key) ?? { app, channel, count: 0 });
      doubtfulCounts.delete(key);
      // If it had been written after all, the number has not been reported.
      if (change !== GONE) report([{ type: change ?? "counted", app, channel }]);
    });
    await inBatches([...doubtfulHolds], async ([key, hold]) => {
      if (!holds.has(key)) await scripts.release(writer, hold);
      doubtfulHolds.delete(key);
    });
    await this.writePendingCounts(shard, writer);
  }

  /** Counts between nought and nought, which no caller waits for. */
  async writePendingCounts({ state }: Shard, writer: Writer): Promise<void> {
    if (state.pendingCounts.size === 0) return;
    const pending = [...state.pendingCounts];
    state.pendingCounts.clear();
    await Promise.all(
      pending.map(async (key) => {
        const subscribers = state.counts.get(key);
        if (!subscribers) return;
        try {
          await this.#options.scripts.setSubscriberCount(writer, subscribers);
        } catch {
          state.doubtfulCounts.set(key, subscribers);
        }
      }),
    );
  }

  close(): void {
    for (const timer of this.#departures) clearTimeout(timer);
  }
}

function leftChange({ app, channel, member }: PresenceEntry): RegistryChange {
  return { type: "left", app, channel, member: { id: member.id } };
}

async function inBatches<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += BATCH_SIZE) {
    await Promise.all(all.slice(from, from + BATCH_SIZE).map(work));
  }
}
