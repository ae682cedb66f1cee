/** What this node itself has in the registry, whatever the stream has of it: written again where it was lost. */

import { CommandError, type MemberUpdate, type PresenceEntry, updatedMember } from "fanfare/engine";
import type { ClusterState, Outcome } from "./cluster-state.ts";
import type { ChannelEvent, ChannelRef } from "./registry-event.ts";
import { mergeShown, type SaidAt } from "./shown-member.ts";

export interface LocalMember {
  /** The first connection's, with what is shown of the user now. */
  entry: PresenceEntry;
  saidAt: SaidAt;
  readonly maxMembers: number;
  readonly joinedAtMs: number;
  readonly connections: Set<string>;
  /** Whether the user is let in at all; each of its connections waits for that. */
  admission: Promise<Outcome>;
  writtenAtMs: number;
}

export interface LocalCount extends ChannelRef {
  count: number;
  writtenAtMs: number;
}

/** An event with a caller that waits for its outcome. */
export interface PendingEvent extends ChannelRef {
  /** Undefined until the event is written. */
  n: number | undefined;
  readonly type: ChannelEvent["type"];
  /** Of the member that joins or leaves. */
  readonly user?: string;
  readonly untilMs: number;
  /** Resolves when the outcome is known, or given up. */
  readonly settled: Promise<unknown>;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

/** A member's departure, then the count; and what came meanwhile, but not for ever. */
const STEPS = 3;

export class LocalState {
  readonly members = new Map<string, LocalMember>();
  readonly counts = new Map<string, LocalCount>();
  /** Keys of counts that are written with the next heartbeat. */
  readonly unwrittenCounts = new Set<string>();
  /** By key, in the order of their events. */
  readonly #pending = new Map<string, PendingEvent[]>();

  /** Something is said of the user now: later than all that is known of it. */
  update(local: LocalMember, update: MemberUpdate, nowMs: number): void {
    const { info, state } = local.saidAt;
    local.entry = { ...local.entry, member: updatedMember(local.entry.member, update) };
    local.saidAt = {
      info: update.info === undefined ? info : Math.max(nowMs, info + 1),
      state: update.state === undefined ? state : Math.max(nowMs, state + 1),
    };
  }

  /** Takes over what the cluster shows of the user, so that it stays when those who said it are gone. */
  show(key: string, cluster: ClusterState): void {
    const local = this.members.get(key);
    const shown = local && cluster.shown(local.entry.app, local.entry.channel, local.entry.member.id);
    if (!local || !shown) return;
    const { member, saidAt } = mergeShown({ member: local.entry.member, saidAt: local.saidAt }, shown);
    local.entry = { ...local.entry, member };
    local.saidAt = saidAt;
  }

  add(key: string, event: PendingEvent): void {
    const pending = this.#pending.get(key);
    if (pending) pending.push(event);
    else this.#pending.set(key, [event]);
  }

  /** Removes the event of this number, and returns it. */
  take(key: string, n: number): PendingEvent | undefined {
    return this.#remove(key, (event) => event.n === n)[0];
  }

  takeAll(key: string): readonly PendingEvent[] {
    return this.#remove(key, () => true);
  }

  /** Removes those that have waited long enough. */
  takeExpired(nowMs: number): readonly PendingEvent[] {
    return [...this.#pending.keys()].flatMap((key) => this.#remove(key, ({ untilMs }) => untilMs <= nowMs));
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  pending(key: string): readonly PendingEvent[] {
    return this.#pending.get(key) ?? [];
  }

  /** Resolves when what is being written about the app, or its channel, has come back, and what was written next because of it. */
  async written(app: string, channel?: string): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      const pending = [...this.#pending.values()].flat();
      const about = pending.filter((each) => each.app === app && (channel === undefined || each.channel === channel));
      if (about.length === 0) return;
      await Promise.all(about.map(({ settled }) => settled));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Of everything that this node has, or that a caller waits for. */
  keys(): readonly string[] {
    return [...new Set([...this.members.keys(), ...this.counts.keys(), ...this.#pending.keys()])];
  }

  #remove(key: string, fits: (event: PendingEvent) => boolean): readonly PendingEvent[] {
    const pending = this.pending(key);
    const removed = pending.filter(fits);
    if (removed.length === 0) return removed;
    const rest = pending.filter((event) => !removed.includes(event));
    if (rest.length > 0) this.#pending.set(key, rest);
    else this.#pending.delete(key);
    return removed;
  }
}

export function channelFull(maxMembers: number): CommandError {
  return new CommandError(
    "channel_full",
    `The channel has ${maxMembers} members, which is as many as it may (presenceMembers).`,
  );
}
