/** The registry of one process: who is where, in maps that shrink back to nothing. */

import { CommandError } from "../../domain/error.ts";
import type { Member, PresenceMember, Publication } from "../../domain/message.ts";
import type {
  ChannelSummary,
  Clock,
  JoinResult,
  LeaveResult,
  PresenceEntry,
  PresenceUpdate,
  Registry,
} from "../../domain/ports.ts";
import {
  joinPublication,
  leavePublication,
  updatedMember,
  updatePublication,
} from "../../domain/presence-publications.ts";
import { listChannels } from "../shared/channels.ts";

interface PresentMember {
  member: Member;
  readonly joinedAtMs: number;
  readonly connections: Set<string>;
}

interface ChannelState {
  subscribers: number;
  /** Absent where no member ever joined. */
  members: Map<string, PresentMember> | undefined;
}

export class MemoryRegistry implements Registry {
  readonly #clock: Clock;
  readonly #publish: (publication: Publication) => void;
  readonly #apps = new Map<string, Map<string, ChannelState>>();

  constructor(clock: Clock, publish: (publication: Publication) => void) {
    this.#clock = clock;
    this.#publish = publish;
  }

  join(entry: PresenceEntry, maxMembers: number): JoinResult {
    const { app, channel, connection, member } = entry;
    const members = this.#channel(app, channel, true)?.members ?? new Map<string, PresentMember>();
    const present = members.get(member.id);
    if (present) {
      present.connections.add(connection);
      return { isFirst: false, members: presenceOf(members) };
    }
    if (members.size >= maxMembers) {
      this.#dropIfEmpty(app, channel);
      throw new CommandError(
        "channel_full",
        `The channel has ${maxMembers} members, which is as many as it may (presenceMembers).`,
      );
    }
    members.set(member.id, { member, joinedAtMs: this.#clock.wallMs(), connections: new Set([connection]) });
    this.#publish(joinPublication(entry));
    return { isFirst: true, members: presenceOf(members) };
  }

  leave({ app, channel, connection, member }: PresenceEntry): LeaveResult {
    const members = this.#channel(app, channel)?.members;
    const present = members?.get(member.id);
    if (!members || !present?.connections.delete(connection)) return { isLast: false };
    if (present.connections.size > 0) return { isLast: false };
    members.delete(member.id);
    this.#dropIfEmpty(app, channel);
    this.#publish(leavePublication({ app, channel, member }));
    return { isLast: true };
  }

  update(update: PresenceUpdate): boolean {
    const { app, channel, connection, member } = update;
    const present = this.#channel(app, channel)?.members?.get(member.id);
    if (!present?.connections.has(connection)) return false;
    present.member = updatedMember(present.member, member);
    this.#publish(updatePublication(update));
    return true;
  }

  setSubscriberCount(app: string, channel: string, count: number): "occupied" | "vacated" | undefined {
    const state = count > 0 ? this.#channel(app, channel, false, true) : this.#channel(app, channel);
    if (!state || state.subscribers === count) return undefined;
    const before = state.subscribers;
    state.subscribers = count;
    this.#dropIfEmpty(app, channel);
    if (before === 0) return "occupied";
    return count === 0 ? "vacated" : undefined;
  }

  members(app: string, channel: string): readonly PresenceMember[] {
    return presenceOf(this.#channel(app, channel)?.members);
  }

  summary(app: string, channel: string): ChannelSummary | undefined {
    const state = this.#channel(app, channel);
    return state && state.subscribers > 0 ? summaryOf(channel, state) : undefined;
  }

  channels(app: string, prefix: string): readonly ChannelSummary[] {
    return listChannels(this.#apps.get(app), prefix, summaryOf);
  }

  /** How many channels it remembers anything of. */
  get channelCount(): number {
    let count = 0;
    for (const channels of this.#apps.values()) count += channels.size;
    return count;
  }

  close(): void {
    this.#apps.clear();
  }

  #channel(app: string, channel: string, withMembers = false, create = withMembers): ChannelState | undefined {
    let channels = this.#apps.get(app);
    if (!channels) {
      if (!create) return undefined;
      channels = new Map();
      this.#apps.set(app, channels);
    }
    let state = channels.get(channel);
    if (!state) {
      if (!create) return undefined;
      state = { subscribers: 0, members: undefined };
      channels.set(channel, state);
    }
    if (withMembers) state.members ??= new Map();
    return state;
  }

  #dropIfEmpty(app: string, channel: string): void {
    const channels = this.#apps.get(app);
    const state = channels?.get(channel);
    if (!channels || !state || state.subscribers > 0 || (state.members?.size ?? 0) > 0) return;
    channels.delete(channel);
    if (channels.size === 0) this.#apps.delete(app);
  }
}

function presenceOf(members: ReadonlyMap<string, PresentMember> | undefined): readonly PresenceMember[] {
  return [...(members?.values() ?? [])].map(({ member, joinedAtMs }) => ({ ...member, joinedAtMs }));
}

function summaryOf(name: string, { subscribers, members }: ChannelState): ChannelSummary {
  return members ? { name, subscribers, users: members.size } : { name, subscribers };
}
