/** Who is where in the cluster, as Redis has it. Each change is one script; what this node has is kept here as well, to write it again. */

import { CommandError } from "../../domain/error.ts";
import type { PresenceMember } from "../../domain/message.ts";
import type { ChannelSummary, JoinResult, LeaveResult, PresenceEntry, Registry } from "../../domain/ports.ts";
import { parseMember } from "../shared/parse.ts";
import { unavailable } from "./errors.ts";
import { appKeyPrefix, channelKey, type Keys } from "./keys.ts";
import { countKey, entryKey, type LocalState, type SubscriberCount } from "./local-state.ts";
import type { NodeMembership } from "./node-membership.ts";
import { asParts, type RegistryScripts } from "./registry-scripts.ts";
import type { Script } from "./script.ts";
import { CHANNELS, MEMBERS, SUMMARY } from "./scripts.ts";
import type { Shard } from "./shard.ts";

/** Channels read in one go, so that no script of ours holds Redis up. */
const PAGE = 500;

export interface RegistryOptions {
  readonly keys: Keys;
  readonly mirror: LocalState;
  readonly life: NodeMembership;
  readonly writes: RegistryScripts;
  bucket(index: number): Shard;
}

export class RedisRegistry implements Registry {
  readonly #parts: RegistryOptions;

  constructor(parts: RegistryOptions) {
    this.#parts = parts;
  }

  async join(row: PresenceEntry, maxMembers: number): Promise<JoinResult> {
    const { life, mirror, writes } = this.#parts;
    const { share, bucket } = this.#at(channelKey(row.app, row.channel));
    const key = entryKey(row);
    const isNew = !share.entries.has(key);
    try {
      const written = await life.runAsMember(bucket, (send, generation) =>
        writes.join(send, generation, row, maxMembers, "list"),
      );
      if (written === "full") {
        throw new CommandError(
          "channel_full",
          `The channel has ${maxMembers} members, which is as many as it may (presenceMembers).`,
        );
      }
      mirror.shard(bucket).entries.set(key, row);
      return { isFirst: written.first, members: listed(written.members) };
    } catch (error) {
      const isFull = error instanceof CommandError && error.code === "channel_full";
      if (isNew && !isFull) share.doubtfulEntries.set(key, { row, wasThere: false });
      throw unavailable(error);
    }
  }

  async leave(row: PresenceEntry): Promise<LeaveResult> {
    const { life, writes } = this.#parts;
    const { share, bucket } = this.#at(channelKey(row.app, row.channel));
    const key = entryKey(row);
    const wasThere = share.entries.get(key)?.member.id === row.member.id && share.entries.delete(key);
    // Until it is done: should data be lost meanwhile, nothing else would tell that the user was there.
    if (wasThere) share.doubtfulEntries.set(key, { row, wasThere });
    try {
      let isUnsure = false;
      const last = await life.runAsMember(bucket, (send, generation) => {
        isUnsure = life.isUnsure(bucket);
        return writes.leave(send, generation, row, isUnsure ? "own, quiet" : "own");
      });
      share.doubtfulEntries.delete(key);
      if (isUnsure && last) life.announceDepartureLater(bucket, row);
      return { isLast: last && !isUnsure };
    } catch (error) {
      if (!share.doubtfulEntries.has(key)) share.doubtfulEntries.set(key, { row, wasThere: false });
      throw unavailable(error);
    }
  }

  async setSubscriberCount(app: string, channel: string, count: number): Promise<"occupied" | "vacated" | undefined> {
    const { life, writes } = this.#parts;
    const tally: SubscriberCount = { app, channel, count };
    const key = countKey(tally);
    const { share, bucket } = this.#at(key);
    const before = share.counts.get(key)?.count ?? 0;
    if (count === before) return undefined;
    if (count > 0) share.counts.set(key, tally);
    else share.counts.delete(key);
    if (count > 0 && before > 0) {
      share.pendingCounts.add(key);
      return undefined;
    }
    share.pendingCounts.delete(key);
    try {
      const change = await life.runAsMember(bucket, (send, generation) =>
        writes.setSubscriberCount(send, generation, tally),
      );
      return change === "counted" ? undefined : change;
    } catch (error) {
      share.doubtfulCounts.set(key, tally);
      throw unavailable(error);
    }
  }

  async members(app: string, channel: string): Promise<readonly PresenceMember[]> {
    const place = channelKey(app, channel);
    return listed(asParts(await this.#read(this.#at(place).bucket, MEMBERS, [place])));
  }

  async summary(app: string, channel: string): Promise<ChannelSummary | undefined> {
    const place = channelKey(app, channel);
    const answer = asParts(await this.#read(this.#at(place).bucket, SUMMARY, [place]));
    return summaryOf(channel, answer[0], answer[1]);
  }

  async channels(app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    const buckets = Array.from({ length: this.#parts.keys.buckets }, (_, bucket) => bucket);
    return (await Promise.all(buckets.map((bucket) => this.#channelsIn(bucket, app, prefix)))).flat();
  }

  async #channelsIn(bucket: number, app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    const places = appKeyPrefix(app);
    const found: ChannelSummary[] = [];
    let after = "";
    while (true) {
      const args = [places.slice(0, -1), places, prefix, after, String(PAGE)];
      const page = asParts(await this.#read(bucket, CHANNELS, args));
      for (let at = 0; at + 2 < page.length; at += 3) {
        after = String(page[at]);
        const summary = summaryOf(after, page[at + 1], page[at + 2]);
        if (summary) found.push(summary);
      }
      if (page.length < 3 * PAGE) return found;
    }
  }

  /** After this node's own counts, so that it never reads less than it knows. */
  async #read(bucket: number, script: Script, args: readonly string[]): Promise<unknown> {
    const { life, mirror } = this.#parts;
    const { commands: line } = this.#parts.bucket(bucket);
    try {
      const share = mirror.shard(bucket);
      if (share.pendingCounts.size > 0) void life.writePending(share, (...command) => line.eval(...command));
      return await line.eval(script, args);
    } catch (error) {
      throw unavailable(error);
    }
  }

  #at(place: string) {
    const bucket = this.#parts.keys.shardOf(place);
    return { bucket, share: this.#parts.mirror.shard(bucket) };
  }
}

/** In the order in which they came. */
function listed(members: readonly unknown[]): readonly PresenceMember[] {
  return members
    .map((text): PresenceMember => {
      const fields = [...asParts(JSON.parse(String(text)))];
      const joinedAtMs = Number(fields.pop());
      return { ...parseMember(fields[0], fields[1], fields[2]), joinedAtMs };
    })
    .sort((a, b) => a.joinedAtMs - b.joinedAtMs || (a.id < b.id ? -1 : 1));
}

function summaryOf(name: string, subscribers: unknown, users: unknown): ChannelSummary | undefined {
  const counts = { name, subscribers: Number(subscribers) };
  if (counts.subscribers <= 0) return undefined;
  return Number(users) > 0 ? { ...counts, users: Number(users) } : counts;
}
