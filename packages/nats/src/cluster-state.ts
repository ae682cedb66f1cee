/**
 * Who is where in the whole cluster, by the events in the stream. Every node computes it from the same events in the same
 * order, so whether a user was the first, the last or one too many comes out alike on all of them.
 */

import {
  type ChannelSummary,
  listChannels,
  type Member,
  type MemberUpdate,
  type NodeReport,
  type NodeState,
  type PresenceEntry,
  type PresenceMember,
} from "fanfare/engine";
import type { ChannelRef, RegistryEvent } from "./registry-event.ts";
import { differenceOf, mergeShown, type SaidAt, type ShownMember } from "./shown-member.ts";

/** What an event changed for the channel as a whole. */
export type Change =
  | { readonly type: "joined"; readonly entry: PresenceEntry }
  | ({ readonly type: "left"; readonly member: Member } & ChannelRef)
  | ({ readonly type: "updated"; readonly member: MemberUpdate } & ChannelRef)
  | ({ readonly type: "occupied" | "vacated" | "counted" } & ChannelRef);

export type Outcome =
  | { readonly type: "done"; readonly changes: readonly Change[] }
  | { readonly type: "full" }
  /** From an incarnation that is over or is not known. */
  | { readonly type: "stray" };

interface ChannelState {
  readonly members: Map<string, PresentUser>;
  subscribers: number;
}

interface PresentUser {
  /** Of the first that joined, with the latest of what any incarnation has written of the user. */
  entry: PresenceEntry;
  saidAt: SaidAt;
  readonly joinedAtMs: number;
  /** The incarnations that have the user. */
  readonly incarnations: Set<string>;
}

interface WrittenMember {
  readonly entry: PresenceEntry;
  readonly saidAt: SaidAt;
  readonly joinedAtMs: number;
}

/** One node between its start, or its last reaping, and its end. */
export interface Incarnation {
  /** Undefined until its first report, which may come just while the stream is read. */
  report: NodeReport | undefined;
  /** By the reader's own monotonic clock. */
  heardAtMs: number;
  /** How much of the time since then the reader certainly received everything. */
  silentMs: number;
  /** Number of its last event; undefined while any may be the next. */
  n: number | undefined;
  readonly members: Map<string, WrittenMember>;
  readonly counts: Map<string, ChannelRef & { count: number }>;
  /** Keys of what it had in a stream that is lost, and has not written again. */
  readonly carriedOver: Set<string>;
}

const NOTHING: Outcome = { type: "done", changes: [] };

export class ClusterState {
  readonly incarnations = new Map<string, Incarnation>();
  readonly #apps = new Map<string, Map<string, ChannelState>>();

  /** Limits apply where the event is new; what was accepted before is not judged again. */
  apply(id: string, key: string, event: RegistryEvent, isNew: boolean, nowMs: number): Outcome {
    if (event.type === "node") return this.#applyReport(id, event, nowMs);
    const isRead = !isNew && event.type !== "reap";
    const known = isRead ? this.#known(id, undefined, nowMs) : this.incarnations.get(id);
    if (!known) return { type: "stray" };
    known.carriedOver.delete(key);
    switch (event.type) {
      case "join":
        return this.#join(id, known, key, event, isNew);
      case "leave":
        return done(this.#leave(id, known, key));
      case "count":
        return done(this.#count(known, key, event));
      case "reap":
        return done(this.#reap(id, known));
    }
  }

  /** What is known of the incarnation from another state, until it says so again. */
  carryOver(id: string, before: Incarnation, nowMs: number): void {
    const known = this.#known(id, before.report, nowMs);
    for (const [key, written] of before.members) {
      if (known.members.has(key)) continue;
      this.#join(id, known, key, written, false);
      known.carriedOver.add(key);
    }
    for (const [key, count] of before.counts) {
      if (known.counts.has(key)) continue;
      this.#count(known, key, count);
      known.carriedOver.add(key);
    }
  }

  /** Another count of a channel that the incarnation has anyway. */
  setCount(known: Incarnation, key: string, count: number): void {
    const counted = known.counts.get(key);
    if (counted) this.#count(known, key, { ...counted, count });
  }

  members(app: string, channel: string): readonly PresenceMember[] {
    return [...(this.#apps.get(app)?.get(channel)?.members.values() ?? [])].map(({ entry, joinedAtMs }) => ({
      ...entry.member,
      joinedAtMs,
    }));
  }

  /** How many incarnations have the user in the channel. */
  holders(app: string, channel: string, user: string): number {
    return this.#apps.get(app)?.get(channel)?.members.get(user)?.incarnations.size ?? 0;
  }

  /** What is shown of the user in the channel. */
  shown(app: string, channel: string, user: string): ShownMember | undefined {
    const present = this.#apps.get(app)?.get(channel)?.members.get(user);
    return present && { member: present.entry.member, saidAt: present.saidAt };
  }

  summary(app: string, channel: string): ChannelSummary | undefined {
    const state = this.#apps.get(app)?.get(channel);
    return state && state.subscribers > 0 ? summaryOf(channel, state) : undefined;
  }

  channels(app: string, prefix: string): readonly ChannelSummary[] {
    return listChannels(this.#apps.get(app), prefix, summaryOf);
  }

  /** Each once, by the latest report of any of its incarnations. */
  nodes(nowMs: number): readonly NodeState[] {
    const states = new Map<string, NodeState>();
    for (const { report, heardAtMs } of this.incarnations.values()) {
      if (!report) continue;
      const silentMs = Math.max(0, Math.round(nowMs - heardAtMs));
      const known = states.get(report.id);
      if (!known || known.silentMs > silentMs) states.set(report.id, { ...report, silentMs });
    }
    return [...states.values()];
  }

  /** Every user of every channel. */
  *present(): Generator<PresenceEntry> {
    for (const channels of this.#apps.values()) {
      for (const { members } of channels.values()) for (const { entry } of members.values()) yield entry;
    }
  }

  #known(id: string, report: NodeReport | undefined, nowMs: number): Incarnation {
    let known = this.incarnations.get(id);
    if (!known) {
      known = {
        report,
        heardAtMs: nowMs,
        silentMs: 0,
        n: undefined,
        members: new Map(),
        counts: new Map(),
        carriedOver: new Set(),
      };
      this.incarnations.set(id, known);
    }
    return known;
  }

  #applyReport(id: string, event: RegistryEvent & { type: "node" }, nowMs: number): Outcome {
    const known = this.#known(id, event.report, nowMs);
    known.report = event.report;
    known.heardAtMs = nowMs;
    known.silentMs = 0;
    if (!event.isComplete) return NOTHING;
    const changes = [...known.carriedOver].flatMap((key) => [
      ...this.#leave(id, known, key),
      ...this.#removeCount(known, key),
    ]);
    known.carriedOver.clear();
    return done(changes);
  }

  #join(
    id: string,
    known: Incarnation,
    key: string,
    { entry, saidAt, joinedAtMs, maxMembers }: WrittenMember & { maxMembers?: number },
    isNew: boolean,
  ): Outcome {
    const { members } = this.#channel(entry);
    const present = members.get(entry.member.id);
    if (!present && isNew && maxMembers !== undefined && members.size >= maxMembers) {
      this.#removeIfEmpty(entry);
      return { type: "full" };
    }
    known.members.set(key, { entry, saidAt, joinedAtMs });
    if (present) {
      present.incarnations.add(id);
      return done(show(present, { member: entry.member, saidAt }));
    }
    members.set(entry.member.id, { entry, saidAt, joinedAtMs, incarnations: new Set([id]) });
    return done([{ type: "joined", entry }]);
  }

  #leave(id: string, known: Incarnation, key: string): readonly Change[] {
    const left = known.members.get(key);
    if (!left) return [];
    known.members.delete(key);
    const { app, channel, member } = left.entry;
    const { members } = this.#channel(left.entry);
    const present = members.get(member.id);
    present?.incarnations.delete(id);
    if (!present || present.incarnations.size > 0) return [];
    members.delete(member.id);
    this.#removeIfEmpty(left.entry);
    return [{ type: "left", app, channel, member: present.entry.member }];
  }

  #count(known: Incarnation, key: string, counted: ChannelRef & { count: number }): readonly Change[] {
    const { app, channel, count } = counted;
    const state = this.#channel(counted);
    const before = state.subscribers;
    state.subscribers += count - (known.counts.get(key)?.count ?? 0);
    if (count > 0) known.counts.set(key, { app, channel, count });
    else known.counts.delete(key);
    const { subscribers } = state;
    this.#removeIfEmpty(counted);
    if (before === subscribers) return [];
    return [{ type: before === 0 ? "occupied" : subscribers === 0 ? "vacated" : "counted", app, channel }];
  }

  #removeCount(known: Incarnation, key: string): readonly Change[] {
    const counted = known.counts.get(key);
    return counted ? this.#count(known, key, { ...counted, count: 0 }) : [];
  }

  #reap(id: string, known: Incarnation): readonly Change[] {
    const left = [...known.members.keys()].flatMap((key) => this.#leave(id, known, key));
    const vacated = [...known.counts.keys()].flatMap((key) => this.#removeCount(known, key));
    this.incarnations.delete(id);
    return [...left, ...vacated];
  }

  #channel({ app, channel }: ChannelRef): ChannelState {
    let channels = this.#apps.get(app);
    if (!channels) {
      channels = new Map();
      this.#apps.set(app, channels);
    }
    let state = channels.get(channel);
    if (!state) {
      state = { members: new Map(), subscribers: 0 };
      channels.set(channel, state);
    }
    return state;
  }

  #removeIfEmpty({ app, channel }: ChannelRef): void {
    const channels = this.#apps.get(app);
    const state = channels?.get(channel);
    if (!channels || !state || state.subscribers > 0 || state.members.size > 0) return;
    channels.delete(channel);
    if (channels.size === 0) this.#apps.delete(app);
  }
}

/** Shows what is later than what is shown. */
function show(present: PresentUser, written: ShownMember): readonly Change[] {
  const { app, channel, member: before } = present.entry;
  const { member, saidAt } = mergeShown({ member: before, saidAt: present.saidAt }, written);
  const difference = differenceOf(before, member);
  present.saidAt = saidAt;
  if (!difference) return [];
  present.entry = { ...present.entry, member };
  return [{ type: "updated", app, channel, member: difference }];
}

function done(changes: readonly Change[]): Outcome {
  return changes.length === 0 ? NOTHING : { type: "done", changes };
}

function summaryOf(name: string, { subscribers, members }: ChannelState): ChannelSummary {
  return members.size > 0 ? { name, subscribers, users: members.size } : { name, subscribers };
}
