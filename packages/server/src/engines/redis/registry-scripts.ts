/** What is written to the registry and the ledger, one script each, whoever has reason to: a command, a beat, an heir. */

import { isInternal } from "../../domain/channel.ts";
import type { Member, Publication } from "../../domain/message.ts";
import type { PresenceEntry } from "../../domain/ports.ts";
import { joinPublication, leavePublication } from "../../domain/presence-publications.ts";
import { encode, memberFields } from "./codec.ts";
import type { RunScript } from "./command-connection.ts";
import { appKeyPrefix, channelKey, type Keys } from "./keys.ts";
import type { QuotaHold, SubscriberCount } from "./local-state.ts";
import { ACQUIRE, ANNOUNCE_DEPARTURE, JOIN, LEAVE, RELEASE, SET_SUBSCRIBER_COUNT } from "./scripts.ts";

/** The generation has no say any more: it was taken for dead, or Redis has forgotten it. */
export const GONE = Symbol("gone");

export interface JoinOutcome {
  readonly first: boolean;
  /** As JSON: id, info, when it came. */
  readonly members: readonly unknown[];
}

export class RegistryScripts {
  readonly #keys: Keys;
  readonly #publishCommand: string;
  readonly #lease: string;
  /** Announcements are numbered on their own, because publications wait elsewhere and would be overtaken. */
  readonly #sender = crypto.randomUUID().slice(0, 13);
  #number = 0;

  constructor(keys: Keys, publishCommand: string, leaseMs: number) {
    this.#keys = keys;
    this.#publishCommand = publishCommand;
    this.#lease = String(leaseMs);
  }

  /** Announced where the user is new, unless it is only written again. */
  async join(
    send: RunScript,
    generation: string,
    row: PresenceEntry,
    most: number,
    how: "list" | "announce" | "quiet",
  ): Promise<JoinOutcome | "full" | typeof GONE> {
    const place = channelKey(row.app, row.channel);
    const opening = JSON.stringify(memberFields(row.member)).slice(0, -1);
    const announcement = how === "quiet" ? "" : this.#announce(joinPublication(row));
    const answer = asParts(
      await send(JOIN, [
        generation,
        place,
        row.connection,
        row.member.id,
        opening,
        Number.isFinite(most) ? String(most) : "-1",
        ...this.#way(place),
        announcement,
        how === "list" ? "1" : "",
        this.#lease,
      ]),
    );
    if (answer[0] === "gone") return GONE;
    if (answer[0] === "full") return "full";
    return { first: answer[1] === 1, members: asParts(answer[2]) };
  }

  /** For its own generation, or for a dead one, or without a word; whether it was the user's last. */
  async leave(
    send: RunScript,
    generation: string,
    row: Omit<PresenceEntry, "member"> & { readonly member: Pick<Member, "id"> },
    how: "own" | "own, quiet" | "dead",
  ): Promise<boolean | typeof GONE> {
    const place = channelKey(row.app, row.channel);
    const member = { id: row.member.id, info: null };
    const [answer, last] = asParts(
      await send(LEAVE, [
        generation,
        place,
        row.connection,
        member.id,
        ...this.#way(place),
        how === "own, quiet" ? "" : this.#announce(leavePublication({ ...row, member })),
        how === "dead" ? "" : "1",
      ]),
    );
    return answer === "gone" ? GONE : last === 1;
  }

  /** Whether the user, who left while nobody could write it down, is gone; says so to everybody then. */
  async announceDeparture(send: RunScript, row: PresenceEntry): Promise<boolean> {
    const place = channelKey(row.app, row.channel);
    const said = this.#announce(leavePublication(row));
    return (await send(ANNOUNCE_DEPARTURE, [place, row.member.id, ...this.#way(place), said])) === 1;
  }

  async setSubscriberCount(
    send: RunScript,
    generation: string,
    { app, channel, count }: SubscriberCount,
  ): Promise<"occupied" | "vacated" | "counted" | undefined | typeof GONE> {
    const index = appKeyPrefix(app).slice(0, -1);
    const listed = isInternal(channel) ? "" : channel;
    const args = [generation, channelKey(app, channel), String(count), index, listed, this.#lease];
    const [how, change] = asParts(await send(SET_SUBSCRIBER_COUNT, args));
    if (how === "gone") return GONE;
    return parseChange(change);
  }

  async take(send: RunScript, generation: string, { place, holder }: QuotaHold, most: number) {
    const limit = Number.isFinite(most) ? String(most) : "-1";
    const answer = await send(ACQUIRE, [generation, place, holder, limit, this.#lease]);
    return answer === "gone" ? GONE : answer === "ok";
  }

  async giveBack(send: RunScript, generation: string, { place, holder }: QuotaHold): Promise<void> {
    await send(RELEASE, [generation, place, holder]);
  }

  /** So that whoever hears it twice knows. */
  #announce(publication: Publication): string {
    return encode(publication, { sender: this.#sender, number: ++this.#number });
  }

  #way(place: string): [string, string] {
    return [this.#publishCommand, this.#keys.subject(this.#keys.shardOf(place), place)];
  }
}

/** What became of a channel, as the scripts say it; nothing where nothing did. */
export function parseChange(said: unknown): "occupied" | "vacated" | "counted" | undefined {
  return said === "occupied" || said === "vacated" || said === "counted" ? said : undefined;
}

export function asParts(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}
