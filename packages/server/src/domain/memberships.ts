/**
 * The channels a connection is in. Most are in one, and a map for one entry takes more memory than the whole connection
 * besides (264 bytes beside 232): the first channel has fields of its own, the map comes with the second.
 */

import type { CommandError } from "./error.ts";
import type { Member } from "./message.ts";

/** As whom the connection is in a channel, where the channel has members. */
export type Membership = Member | undefined;

/** A connection on its way into a channel. */
export interface Entering {
  readonly member: Membership;
  /** Why it may not come in after all. */
  refusal?: CommandError;
}

export class Memberships {
  #channel: string | undefined;
  #member: Membership;
  #others: Map<string, Membership> | undefined;

  get size(): number {
    return (this.#channel === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  has(channel: string): boolean {
    return this.#channel === channel || (this.#others?.has(channel) ?? false);
  }

  get(channel: string): Membership {
    return this.#channel === channel ? this.#member : this.#others?.get(channel);
  }

  set(channel: string, member: Membership): void {
    if (this.#channel !== channel && (this.#channel !== undefined || this.#others?.has(channel))) {
      this.#others ??= new Map();
      this.#others.set(channel, member);
      return;
    }
    this.#channel = channel;
    this.#member = member;
  }

  delete(channel: string): void {
    if (this.#channel === channel) {
      this.#channel = undefined;
      this.#member = undefined;
      return;
    }
    this.#others?.delete(channel);
  }

  /** Whether it is a member in one of them. */
  get isMember(): boolean {
    return this.#member !== undefined || (this.#others?.values().some((member) => member !== undefined) ?? false);
  }

  /** Whether it is that user in one of them. */
  hasMember(id: string): boolean {
    return this.#member?.id === id || (this.#others?.values().some((member) => member?.id === id) ?? false);
  }

  *keys(): Generator<string> {
    if (this.#channel !== undefined) yield this.#channel;
    if (this.#others) yield* this.#others.keys();
  }
}
