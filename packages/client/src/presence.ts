/** The users in a presence channel. */

import type { Member } from "./types.ts";

export interface PresenceChange {
  readonly joined: readonly Member[];
  readonly left: readonly Member[];
  /** Of whom something else is known. */
  readonly updated: readonly Member[];
}

const NOBODY: readonly Member[] = [];

export class Presence {
  /** In order of arrival; replaced on change. */
  members: readonly Member[] = NOBODY;
  myId: string | undefined;

  get me(): Member | undefined {
    return this.members.find(({ id }) => id === this.myId);
  }

  /** The whole list, as a subscription is answered with it. Those who stayed keep their places. */
  replace(now: readonly Member[]): PresenceChange {
    const were = this.members;
    const found = new Map(now.map((member) => [member.id, member]));
    const stayed = were.flatMap(({ id }) => found.get(id) ?? []);
    const known = new Set(were.map(({ id }) => id));
    const joined = [...found.values()].filter(({ id }) => !known.has(id));
    this.members = [...stayed, ...joined];
    const left = were.filter(({ id }) => !found.has(id));
    const before = new Set(were.map((member) => JSON.stringify(member)));
    return { joined, left, updated: stayed.filter((member) => !before.has(JSON.stringify(member))) };
  }

  /** Whether the user was not there before. */
  add(member: Member): boolean {
    const isNew = !this.members.some(({ id }) => id === member.id);
    this.members = isNew
      ? [...this.members, member]
      : this.members.map((other) => (other.id === member.id ? member : other));
    return isNew;
  }

  /** What is null there is none of any more. Undefined where the user is not there. */
  update(changed: Member): Member | undefined {
    const before = this.members.find(({ id }) => id === changed.id);
    if (!before) return undefined;
    const said = Object.entries({ ...before, ...changed }).filter(([, value]) => value !== null);
    const updated = Object.fromEntries(said) as unknown as Member;
    this.members = this.members.map((member) => (member === before ? updated : member));
    return updated;
  }

  remove(id: string): Member | undefined {
    const left = this.members.find((member) => member.id === id);
    if (left) this.members = this.members.filter((member) => member !== left);
    return left;
  }

  clear(): void {
    this.members = NOBODY;
    this.myId = undefined;
  }
}
