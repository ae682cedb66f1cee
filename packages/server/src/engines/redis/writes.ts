/** What is written to the registry and the ledger, one script each, whoever has reason to: a command, a beat, an heir. */

import { isInternal } from "../../domain/channel.ts";
import type { Member, Publication } from "../../domain/message.ts";
import type { PresenceEntry } from "../../domain/ports.ts";
import { joinPublication, leavePublication } from "../../domain/presence-publications.ts";
import { encode, fieldsOf } from "./codec.ts";
import { type Keys, placeOf, placesOf } from "./keys.ts";
import type { Send } from "./line.ts";
import type { Hold, Tally } from "./mirror.ts";
import { DEPART, GIVE_BACK, JOIN, LEAVE, TAKE, TALLY } from "./scripts.ts";

/** The generation has no say any more: it was taken for dead, or Redis has forgotten it. */
export const GONE = Symbol("gone");

export interface Written {
  readonly first: boolean;
  /** As JSON: id, info, when it came. */
  readonly members: readonly unknown[];
}

export class Writes {
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
    send: Send,
    generation: string,
    row: PresenceEntry,
    most: number,
    how: "list" | "announce" | "quiet",
  ): Promise<Written | "full" | typeof GONE> {
    const place = placeOf(row.app, row.channel);
    const opening = JSON.stringify(fieldsOf(row.member)).slice(0, -1);
    const announcement = how === "quiet" ? "" : this.#announce(joinPublication(row));
    const answer = parts(
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
    return { first: answer[1] === 1, members: parts(answer[2]) };
  }

  /** For its own generation, or for a dead one, or without a word; whether it was the user's last. */
  async leave(
    send: Send,
    generation: string,
    row: Omit<PresenceEntry, "member"> & { readonly member: Pick<Member, "id"> },
    how: "own" | "own, quiet" | "dead",
  ): Promise<boolean | typeof GONE> {
    const place = placeOf(row.app, row.channel);
    const member = { id: row.member.id, info: null };
    const [answer, last] = parts(
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
  async depart(send: Send, row: PresenceEntry): Promise<boolean> {
    const place = placeOf(row.app, row.channel);
    const said = this.#announce(leavePublication(row));
    return (await send(DEPART, [place, row.member.id, ...this.#way(place), said])) === 1;
  }

  async tally(
    send: Send,
    generation: string,
    { app, channel, count }: Tally,
  ): Promise<"occupied" | "vacated" | "counted" | undefined | typeof GONE> {
    const index = placesOf(app).slice(0, -1);
    const listed = isInternal(channel) ? "" : channel;
    const args = [generation, placeOf(app, channel), String(count), index, listed, this.#lease];
    const [how, change] = parts(await send(TALLY, args));
    if (how === "gone") return GONE;
    return changeOf(change);
  }

  async take(send: Send, generation: string, { place, holder }: Hold, most: number) {
    const limit = Number.isFinite(most) ? String(most) : "-1";
    const answer = await send(TAKE, [generation, place, holder, limit, this.#lease]);
    return answer === "gone" ? GONE : answer === "ok";
  }

  async giveBack(send: Send, generation: string, { place, holder }: Hold): Promise<void> {
    await send(GIVE_BACK, [generation, place, holder]);
  }

  /** So that whoever hears it twice knows. */
  #announce(publication: Publication): string {
    return encode(publication, { sender: this.#sender, number: ++this.#number });
  }

  #way(place: string): [string, string] {
    return [this.#publishCommand, this.#keys.subject(this.#keys.bucketOf(place), place)];
  }
}

/** What became of a channel, as the scripts say it; nothing where nothing did. */
export function changeOf(said: unknown): "occupied" | "vacated" | "counted" | undefined {
  return said === "occupied" || said === "vacated" || said === "counted" ? said : undefined;
}

export function parts(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}
