/** The registry of one process: who is where, in maps that shrink back to nothing. */

import { CommandError } from "../../domain/error.ts";
import type { Member, PresenceMember, Publication } from "../../domain/message.ts";
import type { ChannelSummary, Clock, JoinResult, LeaveResult, PresenceEntry, Registry } from "../../domain/ports.ts";
import { joinPublication, leavePublication } from "../../domain/presence-publications.ts";
import { listChannels } from "../shared/list-channels.ts";

interface Present {
  readonly member: Member;
  readonly joinedAtMs: number;
  readonly connections: Set<string>;
}

interface Place {
  subscribers: number;
  /** Absent where nobody ever joined as a member. */
  members: Map<string, Present> | undefined;
}

export class MemoryRegistry implements Registry {
  readonly #clock: Clock;
  readonly #publish: (publication: Publication) => void;
  readonly #apps = new Map<string, Map<string, Place>>();

  constructor(clock: Clock, publish: (publication: Publication) => void) {
    this.#clock = clock;
    this.#publish = publish;
  }

  join(row: PresenceEntry, maxMembers: number): JoinResult {
    const { app, channel, connection, member } = row;
    const members = this.#place(app, channel, true)?.members ?? new Map<string, Present>();
    const present = members.get(member.id);
    if (present) {
      present.connections.add(connection);
      return { isFirst: false, members: listed(members) };
    }
    if (members.size >= maxMembers) {
      this.#dropIfEmpty(app, channel);
      throw new CommandError(
        "channel_full",
        `The channel has ${maxMembers} members, which is as many as it may (presenceMembers).`,
      );
    }
    members.set(member.id, { member, joinedAtMs: this.#clock.wallMs(), connections: new Set([connection]) });
    this.#publish(joinPublication(row));
    return { isFirst: true, members: listed(members) };
  }

  leave({ app, channel, connection, member }: PresenceEntry): LeaveResult {
    const members = this.#place(app, channel)?.members;
    const present = members?.get(member.id);
    if (!members || !present?.connections.delete(connection)) return { isLast: false };
    if (present.connections.size > 0) return { isLast: false };
    members.delete(member.id);
    this.#dropIfEmpty(app, channel);
    this.#publish(leavePublication({ app, channel, member }));
    return { isLast: true };
  }

  setSubscriberCount(app: string, channel: string, count: number): "occupied" | "vacated" | undefined {
    const place = count > 0 ? this.#place(app, channel, false, true) : this.#place(app, channel);
    if (!place || place.subscribers === count) return undefined;
    const before = place.subscribers;
    place.subscribers = count;
    this.#dropIfEmpty(app, channel);
    if (before === 0) return "occupied";
    return count === 0 ? "vacated" : undefined;
  }

  members(app: string, channel: string): readonly PresenceMember[] {
    return listed(this.#place(app, channel)?.members);
  }

  summary(app: string, channel: string): ChannelSummary | undefined {
    const place = this.#place(app, channel);
    return place && place.subscribers > 0 ? summaryOf(channel, place) : undefined;
  }

  channels(app: string, prefix: string): readonly ChannelSummary[] {
    return listChannels(this.#apps.get(app), prefix, summaryOf);
  }

  /** How many channels it remembers anything of. */
  get places(): number {
    let count = 0;
    for (const places of this.#apps.values()) count += places.size;
    return count;
  }

  close(): void {
    this.#apps.clear();
  }

  #place(app: string, channel: string, withMembers = false, create = withMembers): Place | undefined {
    let places = this.#apps.get(app);
    if (!places) {
      if (!create) return undefined;
      places = new Map();
      this.#apps.set(app, places);
    }
    let place = places.get(channel);
    if (!place) {
      if (!create) return undefined;
      place = { subscribers: 0, members: undefined };
      places.set(channel, place);
    }
    if (withMembers) place.members ??= new Map();
    return place;
  }

  #dropIfEmpty(app: string, channel: string): void {
    const places = this.#apps.get(app);
    const place = places?.get(channel);
    if (!places || !place || place.subscribers > 0 || (place.members?.size ?? 0) > 0) return;
    places.delete(channel);
    if (places.size === 0) this.#apps.delete(app);
  }
}

function listed(members: ReadonlyMap<string, Present> | undefined): readonly PresenceMember[] {
  return [...(members?.values() ?? [])].map(({ member, joinedAtMs }) => ({ ...member, joinedAtMs }));
}

function summaryOf(name: string, { subscribers, members }: Place): ChannelSummary {
  return members ? { name, subscribers, users: members.size } : { name, subscribers };
}
