/** Who is where in the cluster, as Redis has it. Each change is one script; what this node has is kept here as well, to write it again. */

import { CommandError } from "../../domain/error.ts";
import type { PresenceMember } from "../../domain/message.ts";
import type {
  ChannelSummary,
  JoinResult,
  LeaveResult,
  PresenceEntry,
  PresenceUpdate,
  Registry,
} from "../../domain/ports.ts";
import { appKey, type ChannelRef, channelKey } from "../shared/channels.ts";
import { entryKey } from "../shared/local-state.ts";
import { parseMember } from "../shared/publication-codec.ts";
import type { ScriptArgs } from "./command-connection.ts";
import { unavailable } from "./errors.ts";
import type { NodeMembership } from "./node-membership.ts";
import { asParts, type KeptMembers, parseParts, type RegistryScripts } from "./registry-scripts.ts";
import { CHANNELS, MEMBERS, SUMMARY } from "./scripts/registry.ts";
import type { Script } from "./scripts/script.ts";
import type { Shard } from "./shard.ts";

/** Channels read in one go, so that no script of ours holds Redis up. */
const PAGE = 500;

export interface RegistryOptions {
  readonly shards: readonly Shard[];
  readonly membership: NodeMembership;
  readonly scripts: RegistryScripts;
  shardOf(name: string): Shard;
}

export class RedisRegistry implements Registry {
  readonly #options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  async join(entry: PresenceEntry, maxMembers: number): Promise<JoinResult> {
    const { membership, scripts } = this.#options;
    const shard = this.#shardOf(entry);
    const key = entryKey(entry);
    const { entries, doubtfulEntries } = shard.state;
    const isNew = !entries.has(key);
    try {
      const joined = await membership.write(shard, (writer) => scripts.join(writer, entry, maxMembers, "list"));
      if (joined === "full") {
        throw new CommandError(
          "channel_full",
          `The channel has ${maxMembers} members, which is as many as it may (presenceMembers).`,
        );
      }
      entries.set(key, entry);
      return { isFirst: joined.isFirst, members: parseMembers(joined) };
    } catch (error) {
      const isFull = error instanceof CommandError && error.code === "channel_full";
      if (!isFull && isNew) doubtfulEntries.set(key, { entry, wasThere: false });
      throw unavailable(error);
    }
  }

  async leave(entry: PresenceEntry): Promise<LeaveResult> {
    const { membership, scripts } = this.#options;
    const shard = this.#shardOf(entry);
    const { entries, doubtfulEntries } = shard.state;
    const key = entryKey(entry);
    const wasThere = entries.delete(key);
    // Until it is done: should data be lost meanwhile, nothing else would say that the user was there.
    if (wasThere) doubtfulEntries.set(key, { entry, wasThere });
    try {
      let isUnsure = false;
      const isLast = await membership.write(shard, (writer) => {
        isUnsure = membership.reconciler.isUnsure(shard);
        return scripts.leave(writer, entry, isUnsure ? "own, quiet" : "own");
      });
      doubtfulEntries.delete(key);
      if (isUnsure && isLast) membership.reconciler.announceDepartureLater(shard, entry);
      return { isLast: isLast && !isUnsure };
    } catch (error) {
      if (!doubtfulEntries.has(key)) doubtfulEntries.set(key, { entry, wasThere: false });
      throw unavailable(error);
    }
  }

  async update(update: PresenceUpdate): Promise<boolean> {
    const { membership, scripts } = this.#options;
    const shard = this.#shardOf(update);
    const { entries } = shard.state;
    const key = entryKey(update);
    if (!entries.has(key)) return false;
    try {
      const kept = await membership.write(shard, (writer) => scripts.update(writer, update));
      const entry = entries.get(key);
      // It has left meanwhile, or Redis has lost it, and is given it again with the next heartbeat.
      if (!kept && entry) throw new Error("Redis has lost the entry");
      const [written] = kept ? parseMembers(kept) : [];
      if (entry && kept && written) {
        const { joinedAtMs: _, ...member } = written;
        entries.set(key, { ...entry, member, updatedAtMs: updatedAtMsOf(kept) });
      }
      return kept !== undefined;
    } catch (error) {
      throw unavailable(error);
    }
  }

  async setSubscriberCount(app: string, channel: string, count: number): Promise<"occupied" | "vacated" | undefined> {
    const { membership, scripts } = this.#options;
    const subscribers = { app, channel, count };
    const shard = this.#shardOf(subscribers);
    const { state } = shard;
    const before = state.countOf(subscribers);
    if (count === before) return undefined;
    const key = state.setCount(subscribers);
    if (count > 0 && before > 0) {
      state.pendingCounts.add(key);
      return undefined;
    }
    state.pendingCounts.delete(key);
    try {
      const change = await membership.write(shard, (writer) => scripts.setSubscriberCount(writer, subscribers));
      return change === "counted" ? undefined : change;
    } catch (error) {
      state.doubtfulCounts.set(key, subscribers);
      throw unavailable(error);
    }
  }

  async members(app: string, channel: string): Promise<readonly PresenceMember[]> {
    const ref = { app, channel };
    const [members, states] = parseParts(await this.#read(this.#shardOf(ref), MEMBERS, { channel: channelKey(ref) }));
    return parseMembers({ members: asParts(members), states: asParts(states) });
  }

  async summary(app: string, channel: string): Promise<ChannelSummary | undefined> {
    const ref = { app, channel };
    const [subscribers, users] = asParts(await this.#read(this.#shardOf(ref), SUMMARY, { channel: channelKey(ref) }));
    return summaryOf(channel, subscribers, users);
  }

  async channels(app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    return (await Promise.all(this.#options.shards.map((shard) => this.#channelsIn(shard, app, prefix)))).flat();
  }

  async #channelsIn(shard: Shard, app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    const found: ChannelSummary[] = [];
    let after = "";
    while (true) {
      const page = asParts(await this.#read(shard, CHANNELS, { app: appKey(app), prefix, after, limit: String(PAGE) }));
      for (let at = 0; at + 2 < page.length; at += 3) {
        after = String(page[at]);
        const summary = summaryOf(after, page[at + 1], page[at + 2]);
        if (summary) found.push(summary);
      }
      if (page.length < 3 * PAGE) return found;
    }
  }

  /** After this node's own counts, so that it never reads less than it knows. */
  async #read<Arg extends string>(shard: Shard, script: Script<Arg>, args: ScriptArgs<Arg>): Promise<unknown> {
    try {
      const { membership } = this.#options;
      void membership.reconciler.writePendingCounts(shard, membership.writerOf(shard));
      return await shard.commands.run(script, args);
    } catch (error) {
      throw unavailable(error);
    }
  }

  #shardOf(ref: ChannelRef): Shard {
    return this.#options.shardOf(channelKey(ref));
  }
}

/** In the order in which they joined. */
function parseMembers({ members, states }: KeptMembers): readonly PresenceMember[] {
  const stateOf = parseStates(states);
  return members.map((kept) => keptMember(asParts(kept), stateOf)).sort(byJoining);
}

/** Of its id, its info or null and the text of it, and when it joined. */
function keptMember(fields: readonly unknown[], stateOf: ReadonlyMap<unknown, string>): PresenceMember {
  const [id, info] = fields;
  const infoText = fields.length > 3 ? fields[2] : undefined;
  const member = parseMember(id, info, infoText, stateOf.get(id));
  return Object.assign(member, { joinedAtMs: Number(fields.at(-1)) });
}

function byJoining(a: PresenceMember, b: PresenceMember): number {
  return a.joinedAtMs - b.joinedAtMs || (a.id < b.id ? -1 : 1);
}

/** By user; without those who have none. */
function parseStates(flat: readonly unknown[]): ReadonlyMap<unknown, string> {
  const states = new Map<unknown, string>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const kept = String(flat[at + 1]);
    const state = kept.slice(kept.indexOf(" ") + 1);
    if (state !== "") states.set(flat[at], state);
  }
  return states;
}

function updatedAtMsOf({ states: [, kept] }: KeptMembers): number {
  return Number.parseInt(String(kept), 10);
}

function summaryOf(name: string, subscribers: unknown, users: unknown): ChannelSummary | undefined {
  const counts = { name, subscribers: Number(subscribers) };
  if (counts.subscribers <= 0) return undefined;
  return Number(users) > 0 ? { ...counts, users: Number(users) } : counts;
}
