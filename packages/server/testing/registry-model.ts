/** The registry as one would explain it: a list of rows and a table of counts, with no thought for speed. */

import { type ChannelSummary, isInternal, type PresenceEntry } from "../src/engine.ts";
import type { Operation } from "./registry-contract.ts";

export class RegistryModel {
  #rows: PresenceEntry[] = [];
  /** By app, channel and user, of those who are there. */
  readonly #states = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  perform(command: Operation): unknown {
    switch (command.type) {
      case "join":
        return this.#join(command.row, command.most);
      case "leave":
        return this.#leave(command.row);
      case "update":
        return this.#update(command.row, command.state);
      case "count":
        return this.#count(command.app, command.channel, command.count);
    }
  }

  rows(): readonly PresenceEntry[] {
    return [...this.#rows];
  }

  members(app: string, channel: string): readonly string[] {
    return [...new Set(this.#in(app, channel).map((row) => row.member.id))].sort();
  }

  /** By user; null where there is none. */
  states(app: string, channel: string): Readonly<Record<string, string | null>> {
    const users = this.members(app, channel);
    return Object.fromEntries(users.map((user) => [user, this.#states.get(stateKey(app, channel, user)) ?? null]));
  }

  channels(app: string, prefix: string): readonly ChannelSummary[] {
    return [...this.#counts]
      .map(([key, subscribers]) => ({ place: JSON.parse(key) as [string, string], subscribers }))
      .filter(({ place: [of, name], subscribers }) => of === app && subscribers > 0 && name.startsWith(prefix))
      .map(({ place: [, name], subscribers }) => ({ name, subscribers, users: this.members(app, name).length }))
      .filter(({ name }) => !isInternal(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #join(row: PresenceEntry, most: number): unknown {
    const before = this.members(row.app, row.channel);
    const first = !before.includes(row.member.id);
    if (first && before.length >= most) return "channel_full";
    this.#rows = [...this.#others(row), row];
    return { isFirst: first, members: this.members(row.app, row.channel) };
  }

  #leave(row: PresenceEntry): unknown {
    const wasThere = this.members(row.app, row.channel).includes(row.member.id);
    this.#rows = this.#others(row);
    const isThere = this.members(row.app, row.channel).includes(row.member.id);
    if (!isThere) this.#states.delete(stateKey(row.app, row.channel, row.member.id));
    return { isLast: wasThere && !isThere };
  }

  #update(row: PresenceEntry, state: string | null): unknown {
    if (this.#others(row).length === this.#rows.length) return false;
    const key = stateKey(row.app, row.channel, row.member.id);
    if (state === null) this.#states.delete(key);
    else this.#states.set(key, state);
    return true;
  }

  #count(app: string, channel: string, count: number): unknown {
    const key = JSON.stringify([app, channel]);
    const before = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count);
    if (before === 0 && count > 0) return "occupied";
    return before > 0 && count === 0 ? "vacated" : "nothing";
  }

  #in(app: string, channel: string): readonly PresenceEntry[] {
    return this.#rows.filter((row) => row.app === app && row.channel === channel);
  }

  #others(row: PresenceEntry): PresenceEntry[] {
    const isSame = (other: PresenceEntry) =>
      other.app === row.app && other.channel === row.channel && other.connection === row.connection;
    return this.#rows.filter((other) => !isSame(other));
  }
}

function stateKey(app: string, channel: string, user: string): string {
  return JSON.stringify([app, channel, user]);
}
