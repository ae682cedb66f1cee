/** Positions that survive a reload of the page, but not the tab. */

import type { Position, PositionStore } from "./types.ts";

export interface SessionPositionsOptions {
  /** Older ones are none. Default 3 600 000, an hour. */
  readonly maxAgeMs?: number;
}

interface Entry {
  readonly position: Position;
  readonly at: number;
}

const KEY = "fanfare:positions";
const MOST_CHANNELS = 100;
const WRITE_MS = 1_000;

/**
 * Keeps the positions of up to 100 channels in `sessionStorage`, for programs that keep what they show there as well: after a reload they
 * get what they missed. Where there is no such storage, or it is full or forbidden, positions are in memory only.
 */
export function sessionPositions({ maxAgeMs = 3_600_000 }: SessionPositionsOptions = {}): PositionStore {
  let entries: Map<string, Entry> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const load = () => {
    entries ??= read();
    return entries;
  };
  const write = () => {
    clearTimeout(timer);
    timer = undefined;
    quietly(() => sessionStorage.setItem(KEY, JSON.stringify([...load()])));
  };
  const changed = () => {
    timer ??= setTimeout(write, WRITE_MS);
  };
  quietly(() => addEventListener("pagehide", write));
  return {
    get(key) {
      const entry = load().get(key);
      return entry && Date.now() - entry.at < maxAgeMs ? entry.position : undefined;
    },
    set(key, position) {
      const all = load();
      // The one that changed last is the last.
      all.delete(key);
      all.set(key, { position, at: Date.now() });
      const [oldest] = all.keys();
      if (all.size > MOST_CHANNELS && oldest !== undefined) all.delete(oldest);
      changed();
    },
    delete(key) {
      if (load().delete(key)) changed();
    },
  };
}

function read(): Map<string, Entry> {
  const found = new Map<string, Entry>();
  quietly(() => {
    for (const [key, entry] of JSON.parse(sessionStorage.getItem(KEY) ?? "[]")) {
      const { epoch, offset } = entry.position;
      if (typeof epoch === "string" && typeof offset === "number") found.set(key, entry);
    }
  });
  return found;
}

function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // There is no storage, it is full, forbidden, or somebody else wrote into it.
  }
}
