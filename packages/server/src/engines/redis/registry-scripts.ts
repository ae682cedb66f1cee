/** What is written to the registry and the ledger, one script each, for commands, heartbeats and the reaper of a dead node alike. */

import { isInternal } from "../../domain/channel.ts";
import type { Member, Publication } from "../../domain/message.ts";
import type { PresenceEntry, PresenceUpdate } from "../../domain/ports.ts";
import { joinPublication, leavePublication, updatePublication } from "../../domain/presence-publications.ts";
import { appKey, type ChannelRef, channelKey } from "../shared/channels.ts";
import type { QuotaHold, SubscriberCount, WrittenEntry } from "../shared/local-state.ts";
import { encode, memberFields } from "./codec.ts";
import type { RunScript } from "./command-connection.ts";
import type { Keys } from "./keys.ts";
import { ACQUIRE, RELEASE } from "./scripts/ledger.ts";
import { ANNOUNCE_DEPARTURE, JOIN, LEAVE, SET_SUBSCRIBER_COUNT, UPDATE } from "./scripts/registry.ts";

/** Of a dead node's entries there may be thousands at once: between them Redis serves others. */
const LEAVE_OF_DEAD = { ...LEAVE, isAlone: true } as const;

/** The incarnation may not write any more: it was taken for dead, or Redis has forgotten it. */
export const GONE = Symbol("gone");

/** As which incarnation, and over which connection, something is written. */
export interface Writer {
  readonly run: RunScript;
  readonly incarnation: string;
}

/** Members as lists: id, info, when they joined. States: users, each followed by when it was updated, a space, and its state. */
export interface KeptMembers {
  readonly members: readonly unknown[];
  readonly states: readonly unknown[];
}

export type ChannelChange = "occupied" | "vacated" | "counted";

export class RegistryScripts {
  readonly #keys: Keys;
  readonly #publish: string;
  readonly #lease: string;
  /** Announcements are numbered on their own, because publications wait elsewhere and would be overtaken. */
  readonly #sender = crypto.randomUUID().slice(0, 13);
  #number = 0;

  constructor(keys: Keys, publish: string, leaseMs: number) {
    this.#keys = keys;
    this.#publish = publish;
    this.#lease = String(leaseMs);
  }

  /** Announced where the user is new, unless it is quiet. */
  async join(
    { run, incarnation }: Writer,
    entry: WrittenEntry,
    limit: number,
    mode: "list" | "announce" | "quiet",
  ): Promise<({ readonly isFirst: boolean } & KeptMembers) | "full" | typeof GONE> {
    const { connection, member, updatedAtMs } = entry;
    const [state, isFirst, members, states] = parseParts(
      await run(JOIN, {
        incarnation,
        connection,
        user: member.id,
        member: keptText(member),
        limit: limitText(limit),
        ...this.#announcement(entry, mode === "quiet" ? undefined : joinPublication(entry)),
        isListWanted: mode === "list" ? "1" : "",
        updated: updatedAtMs === undefined ? "" : `${updatedAtMs} ${member.state ?? ""}`,
        lease: this.#lease,
      }),
    );
    if (state === "gone") return GONE;
    return state === "full" ? "full" : { isFirst: isFirst === 1, members: asParts(members), states: asParts(states) };
  }

  /** Answers what is kept of the member then; undefined where the connection is not there as that user. */
  async update({ run, incarnation }: Writer, update: PresenceUpdate): Promise<KeptMembers | undefined | typeof GONE> {
    const { connection, member } = update;
    const { id, info, state } = member;
    const [answer, isThere, members, states] = parseParts(
      await run(UPDATE, {
        incarnation,
        connection,
        user: id,
        member: info === undefined ? "" : keptText({ ...member, info }),
        state: state === undefined ? "" : (state ?? "null"),
        ...this.#announcement(update, updatePublication(update)),
        lease: this.#lease,
      }),
    );
    if (answer === "gone") return GONE;
    return isThere === 1 ? { members: asParts(members), states: asParts(states) } : undefined;
  }

  /** For its own incarnation, or for a dead one. Answers whether it was the user's last connection in the channel. */
  async leave(
    { run, incarnation }: Writer,
    entry: Omit<PresenceEntry, "member"> & { readonly member: Pick<Member, "id"> },
    mode: "own" | "own, quiet" | "dead",
  ): Promise<boolean | typeof GONE> {
    const member = { id: entry.member.id, info: null };
    const answer = await run(mode === "dead" ? LEAVE_OF_DEAD : LEAVE, {
      incarnation,
      connection: entry.connection,
      user: member.id,
      ...this.#announcement(entry, mode === "own, quiet" ? undefined : leavePublication({ ...entry, member })),
      mustBeWriter: mode === "dead" ? "" : "1",
    });
    return answer === "gone" ? GONE : answer === "left";
  }

  /** Announces that the user left, which could not be written when it happened, unless the user is there. Answers whether it did. */
  async announceDeparture(run: RunScript, entry: PresenceEntry): Promise<boolean> {
    const announcement = this.#announcement(entry, leavePublication(entry));
    return (await run(ANNOUNCE_DEPARTURE, { user: entry.member.id, ...announcement })) === 1;
  }

  async setSubscriberCount(
    { run, incarnation }: Writer,
    { app, channel, count }: SubscriberCount,
  ): Promise<ChannelChange | undefined | typeof GONE> {
    const change = await run(SET_SUBSCRIBER_COUNT, {
      incarnation,
      channel: channelKey({ app, channel }),
      count: String(count),
      app: appKey(app),
      listedAs: isInternal(channel) ? "" : channel,
      lease: this.#lease,
    });
    return change === "gone" ? GONE : parseChange(change);
  }

  async acquire({ run, incarnation }: Writer, { quota, holder }: QuotaHold, limit: number) {
    const state = await run(ACQUIRE, { incarnation, quota, holder, limit: limitText(limit), lease: this.#lease });
    return state === "gone" ? GONE : state === "ok";
  }

  async release({ run, incarnation }: Writer, { quota, holder }: QuotaHold): Promise<void> {
    await run(RELEASE, { incarnation, quota, holder });
  }

  /** Numbered, so that who receives it twice knows. */
  #announcement(ref: ChannelRef, publication: Publication | undefined) {
    const channel = channelKey(ref);
    return {
      channel,
      publish: this.#publish,
      subjects: this.#keys.channelSubject(this.#keys.shardOf(channel), ""),
      announcement: publication ? encode(publication, { sender: this.#sender, number: ++this.#number }) : "",
    };
  }
}

/** What became of a channel, as the scripts say it. */
export function parseChange(change: unknown): ChannelChange | undefined {
  return change === "occupied" || change === "vacated" || change === "counted" ? change : undefined;
}

/** The beginning of what is kept of a member, to which a script adds when it joined. */
function keptText(member: Pick<Member, "id" | "info" | "infoText">): string {
  return JSON.stringify(memberFields(member)).slice(0, -1);
}

/** Of what a script answers as JSON. */
export function parseParts(answer: unknown): readonly unknown[] {
  return asParts(JSON.parse(String(answer)));
}

export function asParts(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}

function limitText(limit: number): string {
  return Number.isFinite(limit) ? String(limit) : "-1";
}
