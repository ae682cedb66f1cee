/** One page of the channels of one app or of all, one by one or by patterns: however many there are, only what is asked for is kept in order. */

import type { App } from "../domain/app.ts";
import { kindOf, matches, type Traits } from "../domain/channel.ts";
import type { ChannelSummary } from "../domain/ports.ts";
import type { Hub } from "../hub/hub.ts";
import { CHANNEL_KINDS, type ChannelEntry, type ChannelKindFilter, type ChannelList, patternOf } from "./api-types.ts";
import { firstOf } from "./first-of.ts";

export interface ChannelQuestion {
  /** A part of the name, or with `*` the whole of it. */
  readonly search: string;
  readonly kind: ChannelKindFilter | undefined;
  /** Channels of the same pattern are one row. */
  readonly isGrouped: boolean;
  /** Only channels of that pattern. */
  readonly pattern: string | undefined;
  /** By what the rows are in order, where they are not among the first. */
  readonly sort: "subscribers" | "name";
  /** These come first, in this order: `APP/CHANNEL`. */
  readonly first: readonly string[];
  readonly offset: number;
  readonly limit: number;
}

interface Row {
  readonly app: App;
  readonly name: string;
  readonly pattern: string;
  readonly traits: Traits;
  channels: number;
  subscribers: number;
  users: number | undefined;
  /** Its place among the first; of several channels the best of theirs. */
  place: number;
}

export class ChannelListing {
  readonly #hub: Hub;
  readonly #question: ChannelQuestion;
  readonly #places: ReadonlyMap<string, number>;
  readonly #rows = new Map<string, Row>();
  readonly #kinds = { ...NO_KINDS };
  #total = 0;

  constructor(hub: Hub, question: ChannelQuestion) {
    this.#hub = hub;
    this.#question = question;
    this.#places = new Map(question.first.map((name, at) => [name, at]));
  }

  add(app: App, summary: ChannelSummary): void {
    const { kind, isGrouped, pattern } = this.#question;
    const { name } = summary;
    if (!this.#isFound(name)) return;
    const itsPattern = isGrouped || pattern !== undefined ? patternOf(name) : name;
    if (pattern !== undefined && itsPattern !== pattern) return;
    const { traits } = this.#hub.channelOf(app, name);
    const kinds = kindsOf(traits);
    this.#total++;
    for (const one of kinds) this.#kinds[one]++;
    if (kind !== undefined && !kinds.includes(kind)) return;
    this.#addRow({ app, name, traits, pattern: isGrouped ? itsPattern : name }, summary);
  }

  page(): ChannelList {
    const { offset, limit } = this.#question;
    const rows = firstOf(this.#rows.values(), offset + limit, (one, other) => this.#order(one, other));
    return {
      channels: rows.slice(offset).map((row) => this.#entry(row)),
      total: this.#rows.size,
      matching: this.#total,
      kinds: this.#kinds,
    };
  }

  #isFound(name: string): boolean {
    const { search } = this.#question;
    return search.includes("*") ? matches(search, name) : name.includes(search);
  }

  #addRow(of: Pick<Row, "app" | "name" | "pattern" | "traits">, { subscribers, users }: ChannelSummary): void {
    const place = this.#places.get(`${of.app.id}/${of.name}`) ?? Number.POSITIVE_INFINITY;
    const key = `${of.app.id}/${of.pattern}`;
    const row = this.#rows.get(key);
    if (!row) return void this.#rows.set(key, { ...of, channels: 1, subscribers, users, place });
    row.channels++;
    row.subscribers += subscribers;
    if (users !== undefined) row.users = (row.users ?? 0) + users;
    row.place = Math.min(row.place, place);
  }

  #order(one: Row, other: Row): number {
    if (one.place !== other.place) return one.place - other.place;
    const bySize = this.#question.sort === "name" ? 0 : other.subscribers - one.subscribers;
    return bySize || compare(one.name, other.name) || compare(one.app.id, other.app.id);
  }

  #entry({ app, name, pattern, traits, channels, subscribers, users }: Row): ChannelEntry {
    return {
      ...channelEntry(this.#hub, app, { name, subscribers, ...(users !== undefined && { users }) }, traits),
      ...(channels > 1 && { name: pattern, channels }),
    };
  }
}

export function channelEntry(hub: Hub, app: App, summary: ChannelSummary, traits: Traits): ChannelEntry {
  const { policy } = hub.channelOf(app, summary.name);
  const { encrypted, cache } = traits;
  const keeps = cache ? { size: 1, ttlS: policy.cacheTtlS } : undefined;
  const history = policy.history ? { size: policy.history.size, ttlS: policy.history.ttlS } : keeps;
  return { app: app.id, ...summary, kind: kindOf(traits), encrypted, cache, ...(history && { history }) };
}

const NO_KINDS = Object.fromEntries(CHANNEL_KINDS.map((kind) => [kind, 0])) as Record<ChannelKindFilter, number>;

/** An encrypted channel is a private one, too. */
function kindsOf(traits: Traits): readonly ChannelKindFilter[] {
  const { encrypted, cache } = traits;
  return [kindOf(traits), ...(encrypted ? ["encrypted" as const] : []), ...(cache ? ["cache" as const] : [])];
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
