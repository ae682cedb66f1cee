/** What is watched in the whole cluster: by the dashboards of this node, and by those of other nodes as they announce it. */

import type { Clock } from "../domain/ports.ts";
import type { Watch } from "./api-types.ts";
import { parseWatch } from "./parse-watch.ts";

export interface WatchRegistryOptions {
  readonly node: string;
  readonly clock: Clock;
  /** Sends the list to the other nodes. */
  readonly announce: (channels: readonly string[]) => void;
  /** Something else is watched now. */
  readonly changed: (watched: ReadonlyMap<string, Watch>) => void;
}

/** Announced again that often, for nodes that have just started and for what was lost. */
const ANNOUNCE_INTERVAL_MS = 2_000;
/** A node that announced nothing for that long is gone. */
const EXPIRY_MS = 7_000;
/** In the whole cluster: a person watches no more than that. */
const MAX_WATCHES = 500;

export class WatchRegistry {
  readonly #options: WatchRegistryOptions;
  readonly #own = new Map<string, number>();
  readonly #others = new Map<string, { readonly channels: readonly string[]; readonly atMs: number }>();
  #watched: ReadonlyMap<string, Watch> = new Map();
  #announcedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WatchRegistryOptions) {
    this.#options = options;
  }

  get all(): ReadonlyMap<string, Watch> {
    return this.#watched;
  }

  /** A dashboard of this node subscribed to the channel (1) or left it (-1). */
  count(channel: string, change: 1 | -1): void {
    const before = this.#own.get(channel) ?? 0;
    const now = before + change;
    if (now > 0) this.#own.set(channel, now);
    else this.#own.delete(channel);
    if ((before === 0) === now <= 0) return;
    this.#announce();
    this.#update();
  }

  /** Another node says what it watches. */
  setRemote(node: string, channels: readonly string[]): void {
    if (node === this.#options.node) return;
    if (channels.length === 0) this.#others.delete(node);
    else this.#others.set(node, { channels: channels.slice(0, MAX_WATCHES), atMs: this.#nowMs });
    this.#update();
  }

  /** To be called every second or so. */
  tick(): void {
    if (this.#own.size > 0 && this.#nowMs - this.#announcedAtMs >= ANNOUNCE_INTERVAL_MS) this.#announce();
    const before = this.#others.size;
    for (const [node, { atMs }] of this.#others) if (this.#nowMs - atMs > EXPIRY_MS) this.#others.delete(node);
    if (this.#others.size < before) this.#update();
  }

  #announce(): void {
    this.#announcedAtMs = this.#nowMs;
    this.#options.announce([...this.#own.keys()]);
  }

  #update(): void {
    const channels = new Set([...this.#own.keys(), ...[...this.#others.values()].flatMap((other) => other.channels)]);
    const watched = [...channels].slice(0, MAX_WATCHES).flatMap((channel) => {
      const watch = this.#watched.get(channel) ?? parseWatch(channel);
      return watch ? [[channel, watch] as const] : [];
    });
    const isSame = watched.length === this.#watched.size && watched.every(([channel]) => this.#watched.has(channel));
    if (isSame) return;
    this.#watched = new Map(watched);
    this.#options.changed(this.#watched);
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
