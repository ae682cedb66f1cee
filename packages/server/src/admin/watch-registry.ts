/** What is watched in the whole cluster: by the dashboards of this node, and by those of other nodes as they announce it. */

import * as z from "zod/mini";
import type { Clock } from "../domain/ports.ts";
import { FEED_TYPES, type FeedFilter, type Watch } from "./api-types.ts";

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

const name = z.string().check(z.maxLength(300));
const text = z.optional(name);
const oneOf = z.optional(z.union([name, z.array(name)]));

const WatchSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("feed"),
    ...{ app: text, channel: oneOf, event: oneOf, user: oneOf, connection: oneOf, reason: oneOf, node: oneOf },
    ...{ text: z.optional(z.array(name)), withNobodys: z.optional(z.boolean()) },
    types: z.optional(z.array(z.enum(FEED_TYPES)).check(z.maxLength(FEED_TYPES.length))),
  }),
  z.strictObject({
    ...{ type: z.literal("connections"), app: text, search: text },
    isAnonymous: z.optional(z.boolean()),
  }),
  z.strictObject({ type: z.literal("connection"), app: name, id: name }),
  z.strictObject({ type: z.literal("seconds"), app: text }),
  z.strictObject({ type: z.literal("channels"), app: text, channel: text }),
]);

const NAME = /^live-([-\w]{1,995})$/;

/** What a live channel's name says is to be watched; undefined where it is no such name. Only such names can be subscribed to. */
export function parseWatch(channel: string): Watch | undefined {
  const encoded = NAME.exec(channel)?.[1];
  if (encoded === undefined) return undefined;
  try {
    const read = WatchSchema.safeParse(JSON.parse(Buffer.from(encoded, "base64url").toString("utf8")));
    return read.success ? withoutGaps(read.data) : undefined;
  } catch {
    return undefined;
  }
}

export function filterOf({ type: _, ...filter }: Extract<Watch, { type: "feed" }>): FeedFilter {
  return filter;
}

/** What is undefined is not there. */
function withoutGaps(watch: z.output<typeof WatchSchema>): Watch {
  return JSON.parse(JSON.stringify(watch));
}
