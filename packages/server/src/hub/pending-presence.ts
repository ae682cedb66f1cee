/**
 * Who comes and goes while a newcomer is on its way in. It is told of them in the list that it gets with its answer: what the
 * engine listed is of an earlier moment, and the newcomer's socket hears nothing yet.
 */

import type { JoinedPublication, LeftPublication, Member } from "../domain/message.ts";
import type { Audience } from "./audience.ts";

export class PendingPresenceChanges {
  readonly #audience: Audience;
  readonly #seen: (JoinedPublication | LeftPublication)[] = [];
  readonly #see = (publication: JoinedPublication | LeftPublication) => void this.#seen.push(publication);

  constructor(audience: Audience) {
    this.#audience = audience;
    audience.presenceListeners.add(this.#see);
  }

  /** The list as it is by now. Whoever asks is in it, whatever was said of an earlier connection of the same user. */
  applyTo(members: readonly Member[], newcomer: Member): readonly Member[] {
    if (this.#seen.length === 0) return members;
    const now = new Map(members.map((member) => [member.id, member]));
    for (const { type, member } of this.#seen) {
      if (type === "left") now.delete(member.id);
      else if (!now.has(member.id)) now.set(member.id, member);
    }
    if (!now.has(newcomer.id)) now.set(newcomer.id, members.find(({ id }) => id === newcomer.id) ?? newcomer);
    return [...now.values()];
  }

  end(): void {
    this.#audience.presenceListeners.delete(this.#see);
  }
}
