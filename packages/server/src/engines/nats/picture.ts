/**
 * Who is where in the whole cluster, as the stream tells it. Every node draws it for itself from the same words in the same
 * order, so whether somebody was the first or the last, or one too many, comes out alike on all of them.
 */

import type { Member, PresenceMember } from "../../domain/message.ts";
import type { ChannelSummary, NodeReport, PresenceEntry } from "../../domain/ports.ts";
import { listing } from "../listing.ts";
import type { Word } from "./words.ts";

/** What a word changed for the channel as a whole. */
export type Change =
  | { readonly type: "joined"; readonly row: PresenceEntry }
  | { readonly type: "left"; readonly app: string; readonly channel: string; readonly member: Member }
  | { readonly type: "occupied" | "vacated" | "counted"; readonly app: string; readonly channel: string };

export type Outcome =
  | { readonly type: "done"; readonly changes: readonly Change[] }
  | { readonly type: "full" }
  /** From a generation that is over or was never heard of. */
  | { readonly type: "stray" };

interface Place {
  readonly members: Map<string, Present>;
  subscribers: number;
}

interface Present {
  readonly row: PresenceEntry;
  readonly joinedAtMs: number;
  /** The generations that have the user. */
  readonly in: Set<string>;
}

export interface Generation {
  /** Undefined until it has said who it is: it may have done so just while the stream was read. */
  report: NodeReport | undefined;
  /** By the reader's own monotonic clock. */
  heardAtMs: number;
  /** How much of the time since then the reader certainly heard what there was to hear. */
  silentMs: number;
  /** Number of its last word; undefined while any may be the next. */
  n: number | undefined;
  readonly rows: Map<string, { readonly row: PresenceEntry; readonly joinedAtMs: number }>;
  readonly tallies: Map<string, { readonly app: string; readonly channel: string; count: number }>;
  /** What it had in a stream that is lost, and has not written again. */
  readonly assumed: Set<string>;
}

const NOTHING: Outcome = { type: "done", changes: [] };

export class Picture {
  readonly generations = new Map<string, Generation>();
  readonly #apps = new Map<string, Map<string, Place>>();

  /** Limits are kept where the word is new; what was let in before is not judged again. */
  apply(generation: string, key: string, word: Word, isNew: boolean, nowMs: number): Outcome {
    if (word.type === "node") return this.#hear(generation, word, nowMs);
    const isRead = !isNew && word.type !== "reap";
    const known = isRead ? this.#known(generation, undefined, nowMs) : this.generations.get(generation);
    if (!known) return { type: "stray" };
    known.assumed.delete(key);
    switch (word.type) {
      case "join":
        return this.#join(generation, known, key, word, isNew);
      case "leave":
        return done(this.#leave(generation, known, key));
      case "tally":
        return done(this.#tally(known, key, word));
      case "reap":
        return done(this.#reap(generation, known));
    }
  }

  /** What is known of the generation from another picture, for as long as it has not said so again. */
  assume(generation: string, before: Generation, nowMs: number): void {
    const known = this.#known(generation, before.report, nowMs);
    for (const [key, { row, joinedAtMs }] of before.rows) {
      if (known.rows.has(key)) continue;
      this.#join(generation, known, key, { row, joinedAtMs }, false);
      known.assumed.add(key);
    }
    for (const [key, tally] of before.tallies) {
      if (known.tallies.has(key)) continue;
      this.#tally(known, key, tally);
      known.assumed.add(key);
    }
  }

  /** Another count of a channel that the generation has anyway. */
  recount(known: Generation, key: string, count: number): void {
    const tally = known.tallies.get(key);
    if (tally) this.#tally(known, key, { ...tally, count });
  }

  members(app: string, channel: string): readonly PresenceMember[] {
    return [...(this.#apps.get(app)?.get(channel)?.members.values() ?? [])].map(({ row, joinedAtMs }) => ({
      ...row.member,
      joinedAtMs,
    }));
  }

  /** How many generations have the user in the channel. */
  holders(app: string, channel: string, user: string): number {
    return this.#apps.get(app)?.get(channel)?.members.get(user)?.in.size ?? 0;
  }

  summary(app: string, channel: string): ChannelSummary | undefined {
    const place = this.#apps.get(app)?.get(channel);
    return place && place.subscribers > 0 ? summaryOf(channel, place) : undefined;
  }

  channels(app: string, prefix: string): readonly ChannelSummary[] {
    return listing(this.#apps.get(app), prefix, summaryOf);
  }

  /** Everybody who is anywhere. */
  *present(): Generator<PresenceEntry> {
    for (const places of this.#apps.values()) {
      for (const { members } of places.values()) for (const { row } of members.values()) yield row;
    }
  }

  #known(generation: string, report: NodeReport | undefined, nowMs: number): Generation {
    let known = this.generations.get(generation);
    if (!known) {
      known = {
        report,
        heardAtMs: nowMs,
        silentMs: 0,
        n: undefined,
        rows: new Map(),
        tallies: new Map(),
        assumed: new Set(),
      };
      this.generations.set(generation, known);
    }
    return known;
  }

  #hear(generation: string, word: Word & { type: "node" }, nowMs: number): Outcome {
    const known = this.#known(generation, word.report, nowMs);
    known.report = word.report;
    known.heardAtMs = nowMs;
    known.silentMs = 0;
    if (!word.isComplete || known.assumed.size === 0) return NOTHING;
    const changes = [...known.assumed].flatMap((key) => [
      ...this.#leave(generation, known, key),
      ...this.#untally(known, key),
    ]);
    known.assumed.clear();
    return done(changes);
  }

  #join(
    generation: string,
    known: Generation,
    key: string,
    { row, joinedAtMs, most }: { row: PresenceEntry; joinedAtMs: number; most?: number },
    isNew: boolean,
  ): Outcome {
    if (known.rows.has(key)) return NOTHING;
    const members = this.#place(row.app, row.channel).members;
    const present = members.get(row.member.id);
    if (!present && isNew && most !== undefined && members.size >= most) {
      this.#dropIfEmpty(row.app, row.channel);
      return { type: "full" };
    }
    known.rows.set(key, { row, joinedAtMs });
    if (present) {
      present.in.add(generation);
      return NOTHING;
    }
    members.set(row.member.id, { row, joinedAtMs, in: new Set([generation]) });
    return done([{ type: "joined", row }]);
  }

  #leave(generation: string, known: Generation, key: string): readonly Change[] {
    const gone = known.rows.get(key);
    if (!gone) return [];
    known.rows.delete(key);
    const { app, channel, member } = gone.row;
    const members = this.#place(app, channel).members;
    const present = members.get(member.id);
    present?.in.delete(generation);
    if (!present || present.in.size > 0) return [];
    members.delete(member.id);
    this.#dropIfEmpty(app, channel);
    return [{ type: "left", app, channel, member: present.row.member }];
  }

  #tally(
    known: Generation,
    key: string,
    { app, channel, count }: { app: string; channel: string; count: number },
  ): readonly Change[] {
    const place = this.#place(app, channel);
    const before = place.subscribers;
    place.subscribers += count - (known.tallies.get(key)?.count ?? 0);
    if (count > 0) known.tallies.set(key, { app, channel, count });
    else known.tallies.delete(key);
    const { subscribers } = place;
    this.#dropIfEmpty(app, channel);
    if (before === subscribers) return [];
    return [{ type: before === 0 ? "occupied" : subscribers === 0 ? "vacated" : "counted", app, channel }];
  }

  #untally(known: Generation, key: string): readonly Change[] {
    const tally = known.tallies.get(key);
    return tally ? this.#tally(known, key, { ...tally, count: 0 }) : [];
  }

  #reap(generation: string, known: Generation): readonly Change[] {
    const left = [...known.rows.keys()].flatMap((key) => this.#leave(generation, known, key));
    const vacated = [...known.tallies.keys()].flatMap((key) => this.#untally(known, key));
    this.generations.delete(generation);
    return [...left, ...vacated];
  }

  #place(app: string, channel: string): Place {
    let places = this.#apps.get(app);
    if (!places) {
      places = new Map();
      this.#apps.set(app, places);
    }
    let place = places.get(channel);
    if (!place) {
      place = { members: new Map(), subscribers: 0 };
      places.set(channel, place);
    }
    return place;
  }

  #dropIfEmpty(app: string, channel: string): void {
    const places = this.#apps.get(app);
    const place = places?.get(channel);
    if (!places || !place || place.subscribers > 0 || place.members.size > 0) return;
    places.delete(channel);
    if (places.size === 0) this.#apps.delete(app);
  }
}

function done(changes: readonly Change[]): Outcome {
  return changes.length === 0 ? NOTHING : { type: "done", changes };
}

function summaryOf(name: string, { subscribers, members }: Place): ChannelSummary {
  return members.size > 0 ? { name, subscribers, users: members.size } : { name, subscribers };
}
